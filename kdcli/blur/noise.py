"""The noise of a blurred photo, from the frequencies at which next to nothing else is left of it."""

from __future__ import annotations

import torch

ROUNDING = 1 / 255 / 12**0.5  # standard deviation of rounding to 8 bits
_BLOCK = 32
_EMPTY = 0.25  # share of the frequencies that blur leaves to the noise; less would miss more of JPEG's


def noise_level(y: torch.Tensor) -> torch.Tensor:
    """The standard deviation of the noise in photos (N, C, H, W) in [0, 1]: (N, 1, 1, 1).

    Never less than that of rounding to 8 bits. They have 4 pixels a side or more.
    """
    return noise_floor(y).clamp(min=ROUNDING)


def noise_floor(y: torch.Tensor) -> torch.Tensor:
    """The standard deviation of the noise in images (N, C, H, W), in their own units: (N, 1, 1, 1).

    The lower quartile, over the frequencies, of Bartlett's power spectrum (the mean of those of blocks, under
    a window). White noise has the same power everywhere and a blurred photo little at most frequencies, where
    differences of pixels take any texture that is left for noise.
    """
    side = min(_BLOCK, y.shape[-2], y.shape[-1])
    window = torch.hann_window(side, device=y.device)
    window = window[:, None] * window
    blocks = y.unfold(-2, side, side).unfold(-2, side, side).flatten(1, -3)
    blocks = (blocks - blocks.mean((-2, -1), keepdim=True)) * (window / window.square().sum().sqrt())
    power = torch.fft.rfft2(blocks).abs().square().mean(1)
    # Without the columns that stand for one frequency instead of two.
    level = power[..., 1 : (side + 1) // 2].flatten(1).quantile(_EMPTY, dim=1).sqrt()
    return level[:, None, None, None]
