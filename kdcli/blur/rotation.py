"""Camera shake that rolls: the photo turns on the sensor as it moves, and every pixel has its own kernel.

At time t of the exposure the camera has turned the picture by an angle a(t) about the photo's middle c and
moved it by s(t); small tilts move a photo like shifts in the plane (Whyte et al., "Non-uniform deblurring for
shaken images", CVPR 2010). What a pixel p saw is the mean of the sharp photo along its own path:

    y(p) = mean_t x(p + d(p, t)),   d(p, t) = (exp(i a(t)) - 1) (p - c) + s(t)

with places as complex numbers, column + i row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from kdcli.blur.convolve import pad_reflect
from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.blur.shake import shake_trajectories, splat


@dataclass(frozen=True)
class RollingShake:
    """A camera's path over one exposure, at equal steps of time.

    Attributes:
        angle: (T,) radians, mean 0.
        shift: (T,) complex, pixels, column + i row, mean 0.
        size: (H, W) of the photo, about whose middle the camera rolls.
    """

    angle: np.ndarray
    shift: np.ndarray
    size: tuple[int, int]

    def displacement(self, row: float, column: float) -> np.ndarray:
        """Where a pixel looks over time, relative to itself: (T,) complex pixels."""
        middle = (self.size[1] - 1) / 2 + 1j * (self.size[0] - 1) / 2
        return (np.exp(1j * self.angle) - 1) * (column + 1j * row - middle) + self.shift

    def kernel(self, row: float, column: float) -> np.ndarray:
        """The blur kernel of a pixel: (64, 64) float32, sum 1, in kd's convention of convolution.

        Raises:
            ValueError: the path leaves the canvas.
        """
        kernel = splat(-self.displacement(row, column)) / len(self.angle)
        if abs(kernel.sum() - 1) > 1e-3:
            raise ValueError(f"the path of pixel ({row}, {column}) is longer than {KERNEL_SIZE} pixels")
        return kernel

    def blur(self, sharp: torch.Tensor) -> torch.Tensor:
        """What the camera records of a photo (1, C, H, W), mirrored at its border: the same shape.

        The photo is looked up bilinearly, which is how ``kernel`` shares a point among pixels: at every pixel
        the two are the same.
        """
        height, width = self.size
        margin = KERNEL_SIZE // 2
        wide = pad_reflect(sharp, margin)
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        place = torch.complex(columns.double(), rows.double())
        middle = complex((width - 1) / 2, (height - 1) / 2)
        scale = torch.tensor([2 / (width + 2 * margin - 1), 2 / (height + 2 * margin - 1)])
        total = torch.zeros_like(sharp)
        for angle, shift in zip(self.angle, self.shift, strict=True):
            seen = place + complex(np.exp(1j * angle) - 1) * (place - middle) + complex(shift)
            grid = (torch.view_as_real(seen) + margin) * scale - 1
            total += F.grid_sample(wide, grid[None].to(sharp), align_corners=True)
        return total / len(self.angle)


def rolling_shake(
    rng: np.random.Generator, size: tuple[int, int], *, roll: float, shift: float, instants: int = 128
) -> RollingShake:
    """A random path: hand tremor (``shake_trajectories``) in roll and in shift.

    Args:
        size: (H, W) of the photo.
        roll: extent of the roll, as the pixels that a corner of the photo moves over.
        shift: extent of the shift, in pixels along its wider side.
        instants: of the exposure.
    """
    two = shake_trajectories(2, rng)
    place = two[0][np.linspace(0, two.shape[1] - 1, instants).round().astype(int)]
    turn = two[1].real[np.linspace(0, two.shape[1] - 1, instants).round().astype(int)]
    place, turn = place - place.mean(), turn - turn.mean()
    place *= shift / max(np.ptp(place.real), np.ptp(place.imag))
    turn *= roll / (np.hypot(*size) / 2) / np.ptp(turn)
    return RollingShake(turn, place, size)
