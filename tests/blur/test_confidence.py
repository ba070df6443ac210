"""Confidence, and what is no blur."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from kdcli.blur.confidence import UNCERTAIN, confidence, confidence_of_looks, is_no_blur
from kdcli.blur.families import sample
from kdcli.blur.kernels import impulse


def paths(count: int) -> torch.Tensor:
    return torch.from_numpy(sample("motion", count, np.random.default_rng(6)))


def smeared(kernel: torch.Tensor, side: int) -> torch.Tensor:
    return F.avg_pool2d(kernel[:, None], side, 1, side // 2, count_include_pad=False)[:, 0]


def test_the_less_the_network_would_change_the_more_a_kernel_is_trusted() -> None:
    kernels = paths(5)
    smooth = smeared(kernels, 9)
    trust = [confidence(kernels, (1 - part) * kernels + part * smooth) for part in (0, 0.25, 0.4, 0.6)]
    assert all((more > less).all() for more, less in pairwise(trust)), trust
    assert (trust[0] > 0.9).all()
    assert (trust[-1] < UNCERTAIN).all()
    assert (confidence(impulse().expand(5, -1, -1), kernels) >= 0).all()


def of_looks(agreement: float, kernels: torch.Tensor) -> float:
    """Of the first of two kernels, which the looks had seen a little as the second."""
    kernel, other = kernels[:, None]
    found = confidence_of_looks(kernel, 0.9 * kernel + 0.1 * other, agreement)
    assert found.shape == (1,)
    return float(found)


def test_the_more_the_looks_agree_the_more_a_kernel_is_trusted() -> None:
    trust = [of_looks(share, paths(2)) for share in (0.5, 0.7, 0.9, 0.99)]
    assert all(less < more for less, more in pairwise(trust)), trust
    assert trust[0] < UNCERTAIN < trust[-1]


def test_the_less_the_ascents_changed_the_more_a_kernel_is_trusted() -> None:
    kernel, other = paths(2)
    looked = [(1 - share) * kernel + share * other for share in (0, 0.2, 0.4, 0.8)]
    trust = [float(confidence_of_looks(kernel, each, 0.98)) for each in looked]
    assert all(more > less for more, less in pairwise(trust)), trust
    assert trust[-1] < UNCERTAIN < trust[0]


def test_looks_that_agree_on_a_short_path_say_less() -> None:
    short = torch.zeros(64, 64)
    short[32, 31:34] = 1 / 3
    found = confidence_of_looks(short, short, 1.0)
    assert UNCERTAIN < float(found) < float(confidence_of_looks(*paths(1).expand(2, -1, -1), 1.0))
    assert UNCERTAIN < float(confidence_of_looks(impulse(), impulse(), 1.0)) < 1


def test_where_the_kernel_lies_and_points_does_not_matter() -> None:
    kernel, again = paths(2)
    again = 0.9 * kernel + 0.1 * again
    trust = confidence(
        torch.stack([kernel, kernel.roll((3, -2), (0, 1)), kernel.rot90()]),
        torch.stack([again, again, again.rot90()]),
    )
    assert trust.shape == (3,)
    torch.testing.assert_close(trust, trust[:1].expand(3), atol=1e-5, rtol=0)


def test_no_blur_is_told_from_a_small_one() -> None:
    nothing = impulse(64).view(64, 64)
    assert is_no_blur(nothing)
    assert is_no_blur(0.8 * nothing + 0.2 / 4096)
    assert not is_no_blur((nothing + nothing.roll(1, 0) + nothing.roll(2, 0)) / 3)
    assert not any(is_no_blur(kernel) for kernel in paths(20))
