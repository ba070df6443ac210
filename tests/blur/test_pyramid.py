"""Small kernels from coarse to fine, on photos whose gradients are as sparse as the model says."""

from __future__ import annotations

import numpy as np
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.kernels import impulse, mnc
from kdcli.blur.marginal import unexplained
from kdcli.blur.pyramid import EXTENT, climb
from kdcli.blur.shake import shake_kernels

QUIET = torch.zeros(1, 1, 1, 1)


def blocks(count: int, side: int) -> torch.Tensor:
    """Photos (N, 1, side, side) of overlapping rectangles."""
    rng = np.random.default_rng(4)
    photos = np.full((count, 1, side, side), 0.5, dtype=np.float32)
    for photo in photos:
        for _ in range(120):
            top, left = rng.integers(0, side - 10, 2)
            height, width = rng.integers(5, 40, 2)
            photo[0, top : top + height, left : left + width] = rng.uniform()
    return torch.from_numpy(photos)


def blurred(sharp: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    y = convolve(sharp, kernel, "valid")
    return (y - y.mean((-2, -1), keepdim=True)) / y.std((-2, -1), keepdim=True)


def test_small_kernels_are_found_from_nothing() -> None:
    true = torch.from_numpy(shake_kernels(3, np.random.default_rng(2), (10, 20)))[:, None]
    found = climb(blurred(blocks(3, 255), true), QUIET)
    assert found.shape == (3, 1, 64, 64)
    torch.testing.assert_close(found.sum((-2, -1)), torch.ones(3, 1))
    reach = (64 - EXTENT - 4) // 2
    assert float(found[..., :reach, :].sum() + found[..., :reach].sum()) == 0
    likeness = mnc(found[:, 0], true[:, 0])
    nothing = mnc(impulse().expand(3, -1, -1), true[:, 0])
    assert likeness.mean() > 0.75, likeness
    assert (likeness > nothing + 0.2).all(), (likeness, nothing)


def test_photos_of_a_row_share_their_kernel() -> None:
    true = torch.from_numpy(shake_kernels(1, np.random.default_rng(2), (10, 20)))[:, None]
    y = blurred(blocks(2, 191), true.expand(2, -1, -1, -1))
    found = climb(y.transpose(0, 1), QUIET)
    assert found.shape == (1, 1, 64, 64)
    assert float(mnc(found[0, 0], true[0, 0])) > 0.75


def test_the_true_kernel_leaves_less_unexplained() -> None:
    true = torch.from_numpy(shake_kernels(3, np.random.default_rng(2), (10, 20)))[:, None]
    y = blurred(blocks(3, 191), true)
    right, wrong = (unexplained(y, k, level=0.1) for k in (true, true.roll(1, 0)))
    assert (right < 0.9 * wrong).all(), (right, wrong)
