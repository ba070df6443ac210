"""How pairs are made: one meaning of blur, noise, rounding and JPEG for every command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import convolve as direct

from kdcli.bench import synth
from kdcli.bench.datasets import open_dataset
from kdcli.bench.pairs import blur, random_crop, record, to_8_bit
from tests.bench.conftest import waves


def test_blur_is_a_direct_convolution_with_mirrored_borders() -> None:
    sharp = waves(0, 40, 50) / 255
    kernel = np.zeros((64, 64), np.float32)
    kernel[30:36, 31:34] = np.random.default_rng(0).uniform(size=(6, 3))
    # The origin of our kernels is pixel 32 of 64; that of an odd one is its middle.
    wanted = np.stack([direct(sharp[..., c], kernel[28:37, 28:37], mode="mirror") for c in range(3)], -1)
    np.testing.assert_allclose(blur(sharp, kernel), wanted, atol=1e-6)


def test_noise_is_white_gaussian_and_the_file_has_8_bit() -> None:
    grey = np.full((300, 300, 3), 0.5)
    noise = record(grey, np.random.default_rng(1), noise=0.04).astype(float) / 255 - 0.5
    assert noise.std() == pytest.approx(0.04, rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.001)
    assert (np.abs(noise) < 0.04).mean() == pytest.approx(0.6827, abs=0.02)
    spectrum = np.abs(np.fft.fft2(noise[..., 0])) ** 2
    assert spectrum[1:75, 1:75].mean() == pytest.approx(spectrum[75:150, 75:150].mean(), rel=0.1)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02


def test_without_noise_chance_is_not_asked() -> None:
    rng = np.random.default_rng(2)
    record(np.zeros((8, 8, 3)), rng, jpeg=50)
    assert rng.integers(1000) == np.random.default_rng(2).integers(1000)


def test_the_middle_between_two_levels_is_the_same_everywhere() -> None:
    middle = np.array([10.5, 11.5]) / 255
    for error in (-1e-12, 0, 1e-12):
        np.testing.assert_array_equal(to_8_bit(middle + error), [10, 12])
    np.testing.assert_array_equal(to_8_bit(np.array([-1.0, 2.0])), [0, 255])


def test_crops_are_where_they_say() -> None:
    photo = waves(1, 300, 280) / np.float32(255)
    crop, (top, left) = random_crop(photo, np.random.default_rng(3))
    np.testing.assert_array_equal(crop, waves(1, 300, 280)[top : top + 256, left : left + 256])


def test_synth_and_bench_mean_the_same(photos: Path, tmp_path: Path) -> None:
    settings = {"count": 2, "kernels": "motion", "seed": 0}
    synth.synthesise(photos, tmp_path / "clean", noise=0.0, jpeg=None, **settings)  # type: ignore[arg-type]
    synth.synthesise(photos, tmp_path / "hard", noise=0.05, jpeg=70, **settings)  # type: ignore[arg-type]
    clean = open_dataset(str(tmp_path / "clean"))
    made = open_dataset(str(tmp_path / "hard"))
    later = open_dataset(str(tmp_path / "clean"), noise=0.05, jpeg=70)
    for index in range(2):
        costs = [np.abs(d[index].blurred - clean[index].blurred).mean() for d in (made, later)]
        assert costs[0] > 0.01
        assert costs[1] == pytest.approx(costs[0], rel=0.03)  # the same but for the drawn noise
