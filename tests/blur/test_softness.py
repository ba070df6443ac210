"""How soft a camera is, told from kernels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.degrade import soften
from kdcli.blur.kernels import impulse, normalise
from kdcli.blur.shake import shake_kernels
from kdcli.blur.softness import fatness, is_fatter, softness_of_kernel


def lines(count: int) -> torch.Tensor:
    """Kernels (N, 1, 64, 64) of camera shake."""
    return torch.from_numpy(shake_kernels(count, np.random.default_rng(3), (8.0, 26.0)))[:, None]


def softened(kernel: torch.Tensor, width: float) -> torch.Tensor:
    return normalise(soften(kernel, torch.tensor([width])).clamp(min=0))


def test_lines_hold_next_to_no_softness() -> None:
    assert float(softness_of_kernel(lines(16)).max()) < 0.1
    assert float(softness_of_kernel(impulse()[None, None])) == 0


@pytest.mark.parametrize("width", [0.6, 0.8, 1.0])
def test_what_a_gaussian_has_gone_over_is_as_fat_as_it_is(width: float) -> None:
    found = fatness(softened(lines(16), width))
    assert (found > width).all()  # there is a thin kernel that explains it
    assert float(found.median()) < 1.35 * width  # what is left unexplained may be a twentieth


def test_softness_is_bounded() -> None:
    fat = softened(lines(2), 3.0)
    torch.testing.assert_close(softness_of_kernel(fat), torch.full((2,), 0.8))


def test_kernels_of_a_batch_do_not_touch_each_other() -> None:
    several = torch.cat([lines(2), softened(lines(2), 0.9)])
    alone = torch.cat([fatness(kernel[None]) for kernel in several])
    torch.testing.assert_close(fatness(several), alone)


def test_fatness_of_one_width_is_that_of_all() -> None:
    several = torch.cat([lines(4), softened(lines(4), 0.5), softened(lines(4), 0.9)])
    found = fatness(several)
    for width in (0.4, 0.6, 1.0):
        clear = (found - width).abs() > 1e-3
        assert clear.any()
        assert torch.equal(is_fatter(several, width)[clear], (found > width)[clear])
    assert not is_fatter(impulse()[None, None], 0.3)
