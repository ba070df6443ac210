"""One camera motion from the kernels of a few places."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.kernels import mnc
from kdcli.blur.motion_density import MotionDensity, fit_motion
from kdcli.blur.rotation import RollingShake, rolling_shake

SIZE = (700, 900)
PLACES = [(row, column) for row in (128.0, 349.5, 571.0) for column in (128.0, 449.5, 771.0)]


@pytest.fixture(scope="module")
def shake() -> RollingShake:
    return rolling_shake(np.random.default_rng(3), SIZE, roll=40, shift=12)


def true(shake: RollingShake, places: list[tuple[float, float]]) -> torch.Tensor:
    return torch.stack([torch.from_numpy(shake.kernel(*place)) for place in places])[:, None]


def fit(kernels: torch.Tensor, trust: torch.Tensor) -> MotionDensity:
    return fit_motion(kernels, PLACES, trust, complex(SIZE[1] - 1, SIZE[0] - 1) / 2)


def test_kernels_between_the_places_and_beyond_them_follow(shake: RollingShake) -> None:
    kernels = true(shake, PLACES)
    motion = fit(kernels, torch.ones(9))
    elsewhere = [(240.0, 290.0), (460.0, 610.0), (30.0, 30.0), (670.0, 870.0)]
    nearest = [0, 8, 0, 8]
    for place, other, kernel in zip(elsewhere, nearest, true(shake, elsewhere), strict=True):
        found = motion.at(*place)
        assert found.shape == (1, 1, 64, 64)
        assert float(found.sum()) == pytest.approx(1, abs=1e-5)
        likeness = float(mnc(found[0, 0], kernel[0]))
        assert likeness > 0.75
        assert likeness > 0.2 + float(mnc(kernels[other, 0], kernel[0]))


def test_what_one_place_gets_wrong_the_others_put_right(shake: RollingShake) -> None:
    kernels = true(shake, PLACES)
    spoilt = kernels.clone()
    spoilt[4, 0] = kernels[4, 0].rot90()
    trust = torch.ones(9)
    trust[4] = 0.1
    found = fit(spoilt, trust).at(*PLACES[4])
    assert float(mnc(found[0, 0], kernels[4, 0])) > 0.9


def test_kernels_that_are_moved_give_the_same_motion(shake: RollingShake) -> None:
    kernels = true(shake, PLACES)
    moved = torch.stack([k.roll((i % 3 - 1, i % 2), (-2, -1)) for i, k in enumerate(kernels)])
    found = fit(moved, torch.ones(9))
    for place, kernel in zip(PLACES, kernels, strict=True):
        assert float(mnc(found.at(*place)[0, 0], kernel[0])) > 0.85
