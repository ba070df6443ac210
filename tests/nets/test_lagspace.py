"""From two images to the kernel between them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kdcli.blur.convolve import convolve
from kdcli.blur.families import sample
from kdcli.nets.lagspace import (
    gradients,
    quotients,
    standardise,
    taper,
    whitened_autocorrelation,
    without_centre,
)


def sharp_and_blurred(seed: int, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sharp = torch.rand(1, 1, 128, 160, generator=generator)
    return sharp, convolve(sharp, kernel, "circular")


@pytest.fixture
def kernel() -> torch.Tensor:
    return torch.from_numpy(sample("motion", 1, np.random.default_rng(3)))[None]


def test_quotients_find_the_kernel_between_a_sharp_image_and_its_blur(kernel: torch.Tensor) -> None:
    sharp, blurred = sharp_and_blurred(0, kernel)
    f = gradients(sharp)[:, None].expand(-1, 2, -1, -1, -1)
    regular = torch.tensor([[1e-6, 1e-6, 1e-6, 1e-4], [1e-6, 1e-6, 10.0, 10.0]])
    found = quotients(f, gradients(blurred), regular, 64)
    assert found.shape == (1, 8, 64, 64)
    likeness = (found * standardise(kernel)).mean((-2, -1))[0]
    # One direction alone is blind to the frequencies that it does not pass; both together see nearly all.
    assert likeness[:2].min() > 0.9
    assert likeness[2:4].min() > 0.99
    assert likeness[6] < likeness[2]


def test_quotients_are_indexed_by_shift(kernel: torch.Tensor) -> None:
    image = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    f = gradients(image)
    found = quotients(f[:, None], f.roll((5, -9), (-2, -1)), torch.full((1, 4), 1e-3), 64)
    for lag_map in found[0]:
        assert divmod(int(lag_map.argmax()), 64) == (32 + 5, 32 - 9)


def test_gradients_are_central_differences() -> None:
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    found = gradients((3 * x - 2 * y)[None, None])[..., 1:-1, 1:-1]
    torch.testing.assert_close(found[:, 0], torch.full((1, 4, 5), 3.0))
    torch.testing.assert_close(found[:, 1], torch.full((1, 4, 5), -2.0))


def test_the_window_falls_to_the_border_and_is_one_inside() -> None:
    window = taper((40, 60), 8)
    assert window.shape == (40, 60)
    assert float(window[0].max()) < 0.02
    torch.testing.assert_close(window[8:-8, 8:-8], torch.ones(24, 44))
    torch.testing.assert_close(window, window.flip(0, 1))
    assert (window[:9, 30].diff() >= 0).all()


def test_standardise_is_map_by_map_and_survives_a_flat_one() -> None:
    maps = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 7 + 3
    maps[1, 2] = 5
    found = standardise(maps)
    assert found.mean((-2, -1)).abs().max() < 1e-5
    torch.testing.assert_close(found[0].std((-2, -1), unbiased=False), torch.ones(3))
    assert found[1, 2].abs().max() < 1e-5


def test_the_autocorrelation_shows_a_double_exposures_distance() -> None:
    kernel = torch.zeros(1, 1, 64, 64)
    kernel[0, 0, 32, 28] = kernel[0, 0, 35, 40] = 0.5
    _, blurred = sharp_and_blurred(2, kernel)
    found = whitened_autocorrelation(gradients(blurred), 64)
    assert found.shape == (1, 2, 64, 64)
    for lag_map in found[0].clone():
        lag_map[30:35, 27:38] = 0
        best = divmod(int(lag_map.argmax()), 64)
        assert best in {(35, 44), (29, 20)}


def test_the_centre_gives_way_to_its_neighbours() -> None:
    maps = torch.arange(64.0).reshape(1, 8, 8).clone()
    maps[0, 4, 4] = 1e6
    found = without_centre(maps)
    assert found[0, 4, 4] == 36
    assert maps[0, 4, 4] == 1e6
    assert F.l1_loss(found, torch.arange(64.0).reshape(1, 8, 8)) == 0
