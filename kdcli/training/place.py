"""Where a kernel lies is free: moved one way, with its sharp photo moved the other way, it blurs the same.

So targets are moved to where the estimate lies. Else networks would learn to answer with the mean of all
places that they can't tell apart, which is smooth.
"""

from __future__ import annotations

import torch

from kdcli.blur.convolve import filter_mirrored
from kdcli.blur.kernels import finest_shift, normalise, shift

_MARGIN = 8  # pixels around, so that nothing comes back in on the other side


def in_place(
    kernel: torch.Tensor, sharp: torch.Tensor, true: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sharp photos (N, C, H, W) and true kernels, moved to where the kernels (N, 1, K, K) lie.

    Impulses know nothing yet: what belongs to them stays in its place.
    """
    rows, columns = finest_shift(kernel[:, 0], true[:, 0])
    told = kernel.amax((1, 2, 3)) < 1
    rows, columns = rows * told, columns * told
    return moved_image(sharp, -rows, -columns), normalise(shift(true, rows, columns))


def moved_image(image: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) moved down and to the right by (N,) pixels and parts of them, mirrored outwards."""

    def phase(size: tuple[int, int]) -> torch.Tensor:  # the shift theorem
        down = torch.fft.fftfreq(size[0], device=image.device)[:, None] * rows[:, None, None, None]
        across = torch.fft.rfftfreq(size[1], device=image.device) * columns[:, None, None, None]
        return torch.exp(-2j * torch.pi * (down + across))

    return filter_mirrored(image, phase, _MARGIN)
