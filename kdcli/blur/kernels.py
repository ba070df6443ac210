"""The algebra of blur kernels: normalise, centre, shift, compare. Pure functions.

Kernels are non-negative, sum to 1 and live on a 64x64 canvas whose pixel (32, 32) is the origin.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
import torch.nn.functional as F

KERNEL_SIZE = 64
ORIGIN = KERNEL_SIZE // 2
_SHARP = 0.6  # likeness (MNC) to no blur at all, from which on there is nothing to restore


def normalise(kernel: torch.Tensor) -> torch.Tensor:
    """Clamp kernels (..., K, K) at 0 and divide by their sums; an empty one becomes an impulse."""
    kernel = kernel.clamp(min=0)
    total = kernel.sum((-2, -1), keepdim=True)
    return torch.where(total > 0, kernel / total.clamp(min=1e-20), impulse(kernel.shape[-1]).to(kernel))


def impulse(size: int = KERNEL_SIZE) -> torch.Tensor:
    """The kernel of no blur: (size, size) float32, 1 at the origin."""
    kernel = torch.zeros(size, size)
    kernel[size // 2, size // 2] = 1
    return kernel


def without_specks(kernel: torch.Tensor, threshold: float = 0.05) -> torch.Tensor:
    """Kernels (..., K, K) without what is weaker than threshold x peak: ghosts, more often than not."""
    return normalise(torch.where(kernel < threshold * kernel.amax((-2, -1), keepdim=True), 0, kernel))


def is_no_blur(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) says that the photo is sharp already."""
    return float(kernel.max() / kernel.square().sum().sqrt()) > _SHARP


def centre_of_mass(kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column of the centre of mass of kernels (..., K, K), in pixels from the corner."""
    place = torch.arange(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
    total = kernel.sum((-2, -1)).clamp(min=1e-20)
    return (kernel.sum(-1) * place).sum(-1) / total, (kernel.sum(-2) * place).sum(-1) / total


def radius(kernel: torch.Tensor) -> torch.Tensor:
    """Root mean square distance (...) from the origin, in pixels, of kernels (..., K, K); at least 1."""
    place = torch.arange(kernel.shape[-1], device=kernel.device) - kernel.shape[-1] // 2
    square = place[:, None].square() + place.square()
    return (kernel * square).sum((-2, -1)).clamp(min=1).sqrt()


def width(kernel: torch.Tensor, threshold: float = 0.05) -> int:
    """Extent in pixels of a kernel (K, K): the longer side of the box of pixels over threshold x peak."""
    rows, columns = torch.nonzero(kernel > threshold * kernel.max(), as_tuple=True)
    if len(rows) == 0:
        return 0
    return int(max(rows.max() - rows.min(), columns.max() - columns.min())) + 1


@overload
def centred(kernel: np.ndarray) -> np.ndarray: ...
@overload
def centred(kernel: torch.Tensor) -> torch.Tensor: ...
def centred(kernel: np.ndarray | torch.Tensor) -> np.ndarray | torch.Tensor:
    """A kernel (K, K) of sum 1 whose centre of mass is moved to the origin by a whole-pixel shift.

    What leaves the canvas is lost rather than wrapped around.
    """
    if isinstance(kernel, np.ndarray):
        return centred(torch.from_numpy(np.ascontiguousarray(kernel))).numpy()
    kernel = normalise(kernel)
    row, column = (int(torch.round(c)) for c in centre_of_mass(kernel))
    size = kernel.shape[-1]
    padded = F.pad(kernel, (size, size, size, size))
    top, left = size + row - size // 2, size + column - size // 2
    return normalise(padded[top : top + size, left : left + size])


def centred_exactly(kernel: torch.Tensor) -> torch.Tensor:
    """Kernels (N, 1, K, K) whose centres of mass are moved to the origin, to a fraction of a pixel.

    For estimates: where between the pixels a path began, no photo tells.
    """
    origin = kernel.shape[-1] // 2
    moved = kernel
    rows = columns = kernel.new_zeros(len(kernel))
    for _ in range(2):  # what is cut off moves the centre a little
        row, column = (origin - centre[:, 0] for centre in centre_of_mass(moved))
        rows, columns = rows + row, columns + column
        moved = normalise(shift(kernel, rows, columns))
    return moved


def shift(kernel: torch.Tensor, rows: torch.Tensor | float, columns: torch.Tensor | float) -> torch.Tensor:
    """Shift kernels (N, 1, K, K) by sub-pixel amounts (scalars or (N,)); zeros enter.

    Bicubic, the undershoot cut off: bilinear weights make kernels smooth, and the ringing of a sinc, once cut
    off, changes what they blur five times as much (docs/experiments.md).
    """
    n, _, k, _ = kernel.shape
    dy = torch.as_tensor(rows, dtype=kernel.dtype, device=kernel.device).expand(n)
    dx = torch.as_tensor(columns, dtype=kernel.dtype, device=kernel.device).expand(n)
    theta = torch.zeros(n, 2, 3, dtype=kernel.dtype, device=kernel.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, 0, 2], theta[:, 1, 2] = -2 * dx / k, -2 * dy / k
    grid = F.affine_grid(theta, [n, 1, k, k], align_corners=False)
    return F.grid_sample(kernel, grid, mode="bicubic", padding_mode="zeros", align_corners=False).clamp(min=0)


def cross_correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Normalised cross-correlation of kernels over all whole-pixel shifts.

    Args:
        a, b: (..., K, K).

    Returns:
        (..., 2K, 2K): <a, shift(b)> / (|a| |b|); entry (r, c) has b moved by (r, c), modulo 2K.
    """
    size = (2 * a.shape[-1], 2 * a.shape[-1])
    product = torch.fft.rfft2(a, s=size) * torch.fft.rfft2(b, s=size).conj()
    energy = a.square().sum((-2, -1), keepdim=True) * b.square().sum((-2, -1), keepdim=True)
    return torch.fft.irfft2(product, s=size) / energy.sqrt().clamp(min=1e-20)


def mnc(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Maximum of normalised cross-correlation, (...,), in [0, 1] (Hu and Yang, ECCV 2012)."""
    return cross_correlation(a, b).amax((-2, -1))


def finest_shift(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns, (...,) each, by which b (..., K, K) best matches a, to a fraction of a pixel.

    From the peak of the cross-correlation of whole pixels by a step of Newton's, on kernels made smooth
    enough for the peak to be a paraboloid; both directions at once, since along a straight path a shift costs
    little.
    """
    correlation = cross_correlation(smooth(a), smooth(b))
    size = correlation.shape[-1]
    flat = correlation.flatten(-2)
    index = flat.argmax(-1)
    rows, columns = index // size, index % size

    def at(row: int, column: int) -> torch.Tensor:
        place = (rows + row) % size * size + (columns + column) % size
        return flat.gather(-1, place[..., None])[..., 0]

    down, across = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    down_down = 2 * at(0, 0) - at(1, 0) - at(-1, 0)
    across_across = 2 * at(0, 0) - at(0, 1) - at(0, -1)
    both = (at(1, -1) + at(-1, 1) - at(1, 1) - at(-1, -1)) / 4
    determinant = (down_down * across_across - both.square()).clamp(min=1e-9)
    row = (across_across * down - both * across) / determinant
    column = (down_down * across - both * down) / determinant
    half = size // 2
    return (
        (rows + half) % size - half + row.clamp(-1, 1),
        (columns + half) % size - half + column.clamp(-1, 1),
    )


def smooth(kernel: torch.Tensor) -> torch.Tensor:
    """Kernels (..., K, K) blurred by a Gaussian of one pixel."""
    tap = torch.exp(-torch.arange(-3.0, 4.0, device=kernel.device).square() / 2)
    flat = kernel.reshape(-1, 1, *kernel.shape[-2:])
    flat = F.conv2d(flat, tap[None, None, :, None] / tap.sum(), padding=(3, 0))
    return F.conv2d(flat, tap[None, None, None] / tap.sum(), padding=(0, 3)).reshape(kernel.shape)


def move_onto(target: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Move kernels (N, 1, K, K) to where they best match others, to a fraction of a pixel."""
    return shift(kernel, *finest_shift(target[:, 0], kernel[:, 0]))
