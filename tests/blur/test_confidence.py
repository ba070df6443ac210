"""Confidence, from the kernel alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kdcli.blur.confidence import UNCERTAIN, confidence, is_no_blur
from kdcli.blur.families import sample
from kdcli.blur.kernels import impulse


def paths(count: int) -> torch.Tensor:
    return torch.from_numpy(sample("motion", count, np.random.default_rng(6)))


def smeared(kernel: torch.Tensor, side: int) -> torch.Tensor:
    return F.avg_pool2d(kernel[None], side, 1, side // 2, count_include_pad=False)[0]


@pytest.mark.parametrize("which", range(5))
def test_what_is_smeared_is_trusted_less(which: int) -> None:
    kernel = paths(5)[which]
    trust = [float(confidence(smeared(kernel, side))) for side in (1, 3, 7, 13)]
    assert trust == sorted(trust, reverse=True)
    assert 0 <= trust[-1] < UNCERTAIN < trust[0] <= 1


def test_where_the_kernel_lies_and_points_does_not_matter() -> None:
    kernel = paths(1)[0]
    moved = torch.stack([kernel, kernel.roll((3, -2), (0, 1)), kernel.rot90()])
    trust = confidence(moved)
    assert trust.shape == (3,)
    torch.testing.assert_close(trust, trust[:1].expand(3), atol=1e-5, rtol=0)


def test_no_blur_is_told_from_a_small_one() -> None:
    nothing = impulse(64).view(64, 64)
    assert is_no_blur(nothing)
    assert confidence(nothing) == 1
    assert is_no_blur(0.8 * nothing + 0.2 / 4096)
    assert not is_no_blur((nothing + nothing.roll(1, 0) + nothing.roll(2, 0)) / 3)
    assert not any(is_no_blur(kernel) for kernel in paths(20))
