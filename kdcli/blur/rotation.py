"""Camera shake with in-plane rotation: every place of the photo has a kernel of its own.

The photo is the mean of the sharp one over the poses of the camera during the exposure (Whyte et al.,
"Non-uniform deblurring for shaken images", IJCV 2012, eq. 3, without its out-of-plane turns, which over a
photo's small angles are shifts):

    y[p] = mean_t x[p - d_t(p)],   d_t(p) = shift_t + (R(angle_t) - 1) (p - middle)

Places between pixels are read bilinearly. The kernel at p is the set of all d_t(p), each shared by its four
pixels, so that the photo and its kernels agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from kdcli.blur.kernels import KERNEL_SIZE, ORIGIN
from kdcli.blur.shake import shake_trajectories, splat

_STEP = 0.5  # the farthest, in pixels, that the photo's corner may move from one pose to the next


@dataclass(frozen=True)
class CameraPath:
    """The poses of a camera during an exposure, their mean being that of the sharp photo.

    Attributes:
        angle: (T,) float64, in radians, from the columns' axis to the rows'.
        shift: (T,) complex128, columns + i rows, in pixels.
    """

    angle: np.ndarray
    shift: np.ndarray

    def displacement(self, place: np.ndarray | complex, size: tuple[int, int]) -> np.ndarray:
        """How far the scene at a place (columns + i rows, in pixels) moves: (..., T) complex128.

        Args:
            size: (H, W) of the photo, which turns about its middle.
        """
        arm = np.asarray(place)[..., None] - _middle(size)
        return self.shift + (np.exp(1j * self.angle) - 1) * arm


def camera_path(
    rng: np.random.Generator,
    size: tuple[int, int],
    shift: tuple[float, float] = (4.0, 12.0),
    turn: tuple[float, float] = (8.0, 24.0),
) -> CameraPath:
    """A random path: hand tremor (``kdcli.blur.shake``) in all three directions.

    Args:
        size: (H, W) of the photo.
        shift: the range of the wider side of the shifts, in pixels.
        turn: the range of how far the turn moves the photo's corners, in pixels.
    """
    moved, turned = shake_trajectories(2, rng)
    span = max(np.ptp(moved.real), np.ptp(moved.imag))
    moved = (moved - moved.mean()) * (rng.uniform(*shift) / span)
    corner = abs(_middle(size))
    angle = turned.real - turned.real.mean()
    angle *= rng.uniform(*turn) / (np.ptp(angle) * corner)
    length = np.hypot(np.abs(np.diff(moved)), np.abs(np.diff(angle)) * corner).sum()
    # Equal steps of time, so that places where the camera lingers keep their weight.
    kept = np.linspace(0, len(angle) - 1, max(2, int(np.ceil(length / _STEP)))).round().astype(int)
    return CameraPath(angle[kept] - angle[kept].mean(), moved[kept] - moved[kept].mean())


def shake_photo(photo: torch.Tensor, path: CameraPath) -> torch.Tensor:
    """Blur a photo (1, C, H, W), mirrored about the centres of its edge pixels, along a path."""
    height, width = photo.shape[-2:]
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    place = columns + 1j * rows
    total = torch.zeros_like(photo)
    for angle, shift in zip(path.angle, path.shift, strict=True):
        pose = CameraPath(angle[None], shift[None])
        seen = place - pose.displacement(place, (height, width))[..., 0]
        grid = np.stack([2 * seen.real / (width - 1) - 1, 2 * seen.imag / (height - 1) - 1], axis=-1)
        where = torch.from_numpy(grid).to(photo)[None]
        total += F.grid_sample(photo, where, "bilinear", "reflection", align_corners=True)
    return total / len(path.angle)


def kernel_at(path: CameraPath, size: tuple[int, int], row: float, column: float) -> np.ndarray:
    """The kernel of the place (row, column) of a photo of a size (H, W): (64, 64) float32, sum 1.

    Not centred: its centre of mass is how far the place moves in the mean.

    Raises:
        ValueError: it does not fit the canvas.
    """
    moved = path.displacement(complex(column, row), size)
    if max(np.abs(moved.real).max(), np.abs(moved.imag).max()) >= ORIGIN - 1:
        raise ValueError(f"the kernel at row {row:g}, column {column:g} is larger than {KERNEL_SIZE} pixels")
    return splat(moved) / len(moved)


def _middle(size: tuple[int, int]) -> complex:
    return complex((size[1] - 1) / 2, (size[0] - 1) / 2)
