"""Flips and quarter turns of photos and of their kernels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.families import sample
from kdcli.blur.turns import turn, turn_back, turn_kernel, turned, turned_back


@pytest.mark.parametrize("which", range(8))
def test_a_turned_photo_has_the_turned_kernel(which: int) -> None:
    sharp = torch.rand((1, 1, 192, 192), generator=torch.Generator().manual_seed(1))
    kernel = torch.from_numpy(sample("motion", 1, np.random.default_rng(1)))[:, None]
    kernel[..., 0, :] = kernel[..., 0] = 0
    kernel /= kernel.sum()
    turned_blur = turn(convolve(sharp, kernel), which)
    turned_kernel = turn_kernel(kernel, which)
    again = convolve(turn(sharp, which), turned_kernel)
    torch.testing.assert_close(
        again[..., 40:-40, 40:-40], turned_blur[..., 40:-40, 40:-40], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(turn_back(turned_kernel, which), kernel, atol=1e-6, rtol=0)


def test_a_kernel_that_is_not_turned_keeps_its_border() -> None:
    kernel = torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(turn_kernel(kernel, 0), kernel, rtol=0, atol=0)
    assert float(turn_kernel(kernel, 1)[..., 0, :].abs().max()) == 0  # these have no mirror image


def test_all_images_go_through_one_turn_after_the_other_and_their_kernels_back() -> None:
    images = torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(turned(images, 3), torch.cat([images, turn(images, 1), turn(images, 2)]))
    images[..., 0, :] = images[..., 0] = 0  # these have no mirror image
    images /= images.sum((-2, -1), keepdim=True)
    shown = torch.cat([turn_kernel(images, which) for which in range(8)])
    torch.testing.assert_close(turned_back(shown, 8), images.repeat(8, 1, 1, 1))
