"""Photos whose gradients are as sparse as the marginal likelihood's model says."""

from __future__ import annotations

import numpy as np
import torch

from kdcli.blur.convolve import convolve


def rectangles(photos: int, side: int, each: int) -> torch.Tensor:
    """Photos (N, 1, side, side) of so many overlapping rectangles: few strong edges, nothing between."""
    rng = np.random.default_rng(4)
    pixels = np.full((photos, 1, side, side), 0.5, dtype=np.float32)
    for photo in pixels:
        for _ in range(each):
            top, left = rng.integers(0, side - 10, 2)
            height, width = rng.integers(5, 40, 2)
            photo[0, top : top + height, left : left + width] = rng.uniform()
    return torch.from_numpy(pixels)


def standardised(sharp: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """The photos blurred, what is known of them, with mean 0 and variance 1."""
    y = convolve(sharp, kernel, "valid")
    return (y - y.mean((-2, -1), keepdim=True)) / y.std((-2, -1), keepdim=True)
