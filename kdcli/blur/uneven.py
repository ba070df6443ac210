"""Blur that is nearly, but not quite, the same all over a photo, as that of every camera.

A camera that shakes also rolls a little, and its lens bends what it sees: kernels change by parts of a pixel
from one side of a photo to the other. Whoever takes the blur for one convolution has to bear that.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.convolve import Border, convolve
from kdcli.blur.kernels import normalise


def convolve_uneven(
    image: torch.Tensor, kernel: torch.Tensor, bend: torch.Tensor, border: Border = "reflect"
) -> torch.Tensor:
    """Blur an image by a kernel whose plane is deformed linearly across the image.

    The image is blurred by the kernels of its four corners, between which the results are interpolated.

    Args:
        image: (N, C, H, W).
        kernel: (N, 1, K, K), that of the image's middle.
        bend: (N, 2, 2, 2), matrices A (to the right edge) and B (to the lower one) on places (row, column):
            at (u, v), from -1 to 1 across and down, what lay at p lies at about p + (u A + v B) p.
        border: as in ``convolve``.

    Returns:
        As ``convolve``.
    """
    total = torch.zeros(())
    for across in (-1, 1):
        for down in (-1, 1):
            corner = deformed(kernel, across * bend[:, 0] + down * bend[:, 1])
            blurred = convolve(image, corner, border)
            u = torch.linspace(-1, 1, blurred.shape[-1], device=image.device)
            v = torch.linspace(-1, 1, blurred.shape[-2], device=image.device)[:, None]
            total = total + blurred * (1 + across * u) * (1 + down * v) / 4
    return total


def deformed(kernel: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Kernels (N, 1, K, K) whose places p about the origin have gone to about p + M p, M (N, 2, 2) small."""
    size = kernel.shape[-1]
    index = torch.arange(size, device=kernel.device) - size // 2
    place = torch.stack(torch.meshgrid(index, index, indexing="ij"), dim=-1).to(kernel)
    came_from = place - torch.einsum("nij,rcj->nrci", matrix.to(kernel), place)
    grid = (came_from + size // 2).flip(-1) * (2 / (size - 1)) - 1
    # Bilinear would make them softer.
    moved = F.grid_sample(kernel, grid, mode="bicubic", align_corners=True)
    return normalise(moved.clamp(min=0))
