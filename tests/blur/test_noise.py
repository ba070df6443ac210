"""The noise of photos: right where it is white, whatever the photo shows and however weak it is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from skimage import data

from kdcli.blur.convolve import convolve
from kdcli.blur.degrade import add_noise, jpeg, to_8_bit
from kdcli.blur.families import sample
from kdcli.blur.kernels import impulse
from kdcli.blur.noise import ROUNDING, is_sensor_noise, noise_floor, noise_level


@pytest.fixture(scope="module")
def blurred() -> torch.Tensor:
    """A photo (1, 3, 192, 192) of texture of the spectrum that photos have, blurred."""
    noise = torch.fft.rfft2(torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)))
    frequency = torch.fft.fftfreq(256)[:, None].hypot(torch.fft.rfftfreq(256)).clamp(min=1 / 256)
    texture = torch.fft.irfft2(noise / frequency)
    texture = (0.5 + 0.15 * texture / texture.std()).clamp(0, 1)
    kernel = torch.from_numpy(sample("motion", 1, np.random.default_rng(3)))[None]
    return convolve(texture, kernel, "valid")[..., :192, :192]


def noisy(photo: torch.Tensor, level: float) -> torch.Tensor:
    return photo + level * torch.randn(photo.shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("level", [0.002, 0.005, 0.01, 0.03])
def test_white_noise_is_measured(blurred: torch.Tensor, level: float) -> None:
    assert float(noise_floor(noisy(blurred, level))) == pytest.approx(level, rel=0.15)


def test_texture_is_no_noise(blurred: torch.Tensor) -> None:
    y = to_8_bit(blurred)
    differences = y[..., 1:, 1:] - y[..., :-1, 1:] - y[..., 1:, :-1] + y[..., :-1, :-1]
    assert float(differences.std()) / 2 > 2 * ROUNDING  # which they would be taken for
    assert float(noise_floor(y)) == pytest.approx(ROUNDING, rel=0.3)


def test_between_the_levels_of_8_bits(blurred: torch.Tensor) -> None:
    levels = [float(noise_floor(to_8_bit(noisy(blurred, level / 255)))) for level in (0.5, 0.6, 0.7, 0.8)]
    assert all(after > 1.05 * before for before, after in itertools.pairwise(levels))


def test_a_kernel_tells_where_rounding_is_all_the_noise() -> None:
    across = torch.zeros(1, 1, 64, 64)
    across[..., 32, 28:37] = 1 / 9  # which leaves what varies from row to row
    photo = torch.from_numpy(data.rocket()[100:356, 100:356].copy()).permute(2, 0, 1)[None] / 255
    y = to_8_bit(convolve(photo, across, "valid"))
    assert float(noise_level(y)) > 1.15 * ROUNDING
    assert float(noise_level(y, across)) == pytest.approx(ROUNDING)
    grainy = to_8_bit(noisy(y, 0.001))  # so little that it could be texture
    assert float(noise_level(grainy, across)) == float(noise_floor(grainy)) > 1.25 * ROUNDING
    both, kernels = torch.cat([y, grainy]), across.expand(2, -1, -1, -1)
    torch.testing.assert_close(
        noise_level(both, kernels)[:, 0, 0, 0], torch.tensor([ROUNDING, float(noise_floor(grainy))])
    )
    loud = to_8_bit(noisy(y, 0.004))
    assert 1 <= float(noise_level(loud, across) / noise_level(loud)) < 1.15
    small = y[..., :20, :20]  # too small to tell
    assert float(noise_level(small, across)) == float(noise_level(small))


@pytest.mark.parametrize("known", [False, True])
def test_a_kernel_shows_how_much_noise_there_is_that_is_coarse(blurred: torch.Tensor, known: bool) -> None:
    kernel = torch.from_numpy(sample("motion", 1, np.random.default_rng(3)))[None]
    level, generator = torch.tensor([0.01]), torch.Generator().manual_seed(1)  # loud: no doubt

    def louder(grain: float) -> float:
        y = to_8_bit(add_noise(blurred, level, generator, torch.tensor([grain])))
        return float(noise_level(y, kernel, known=known) / noise_level(y))

    assert louder(0.6) > 1.5
    assert louder(0.0) < 1.15


def test_only_frequencies_that_blur_has_emptied_show_noise(blurred: torch.Tensor) -> None:
    sharp = impulse()[None, None]
    y = to_8_bit(noisy(blurred, 0.01))
    assert float(noise_level(y, sharp)) == float(noise_level(y))


def test_what_could_be_texture_is_noise_in_photos_of_cameras_only(blurred: torch.Tensor) -> None:
    kernel = torch.from_numpy(sample("motion", 1, np.random.default_rng(3)))[None]
    generator = torch.Generator().manual_seed(1)
    y = to_8_bit(add_noise(blurred, torch.tensor([0.003]), generator, torch.tensor([0.6])))
    level = float(noise_level(y))
    assert 1.25 * ROUNDING < level < 2 * ROUNDING
    both, twice = torch.cat([y, y]), kernel.expand(2, -1, -1, -1)
    told = noise_level(both, twice, known=False, from_camera=torch.tensor([False, True])).flatten().tolist()
    assert told[0] == pytest.approx(level)
    assert told[1] > 1.5 * level


def test_without_a_sensors_noise_there_is_nothing_coarse(blurred: torch.Tensor) -> None:
    kernel = torch.from_numpy(sample("motion", 1, np.random.default_rng(3)))[None]
    y = to_8_bit(blurred)
    assert not is_sensor_noise(noise_level(y))
    assert float(noise_level(y, kernel, known=False, from_camera=True)) == float(noise_level(y))
    noise = ROUNDING * torch.tensor([1.0, 1.1, 1.2, 1.25, 9.0])
    assert is_sensor_noise(noise).tolist() == [False, False, False, True, True]


def test_never_less_than_rounding(blurred: torch.Tensor) -> None:
    flat = torch.full_like(blurred, 0.5)
    assert float(noise_floor(flat)) == 0
    assert float(noise_level(flat)) == pytest.approx(ROUNDING)
    assert float(noise_level(noisy(blurred, 0.01))) == float(noise_floor(noisy(blurred, 0.01)))


def test_jpeg_counts_as_noise(blurred: torch.Tensor) -> None:
    levels = [float(noise_floor(jpeg(blurred, torch.tensor([quality])))) for quality in (95.0, 60.0)]
    assert levels[0] < 0.7 * levels[1] > 0.7 * ROUNDING


def test_in_the_units_of_the_image(blurred: torch.Tensor) -> None:
    y = noisy(blurred, 0.01)
    torch.testing.assert_close(noise_floor(5 * y - 1), 5 * noise_floor(y))


def test_each_photo_by_itself(blurred: torch.Tensor) -> None:
    both = torch.cat([noisy(blurred, 0.01), noisy(blurred, 0.03)])
    assert noise_level(both).shape == (2, 1, 1, 1)
    torch.testing.assert_close(noise_level(both)[1:], noise_level(both[1:]))


@pytest.mark.parametrize("size", [(16, 16), (17, 64), (33, 31), (4, 4)])
def test_any_size(size: tuple[int, int]) -> None:
    y = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(2))
    assert noise_level(y).shape == (1, 1, 1, 1)
    assert ROUNDING <= float(noise_level(y)) < 1
