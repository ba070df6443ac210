"""Rolling camera shake: the photo it leaves and the kernels it is said to have are the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.rotation import RollingShake, rolling_shake

SIZE = (150, 200)


@pytest.fixture(scope="module")
def sharp() -> torch.Tensor:
    return torch.rand((1, 3, *SIZE), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("roll", [0.0, 25.0])
def test_every_pixel_is_convolved_with_its_own_kernel(sharp: torch.Tensor, roll: float) -> None:
    shake = rolling_shake(np.random.default_rng(1), SIZE, roll=roll, shift=12, instants=40)
    blurred = shake.blur(sharp)
    assert blurred.shape == sharp.shape
    for row, column in ((75, 100), (40, 50), (110, 160)):
        kernel = torch.from_numpy(shake.kernel(row, column))[None, None]
        expected = convolve(sharp, kernel)[..., row, column]
        torch.testing.assert_close(blurred[..., row, column], expected, atol=1e-4, rtol=0)


def test_extents_are_those_asked_for() -> None:
    shake = rolling_shake(np.random.default_rng(2), SIZE, roll=30, shift=10)
    assert np.ptp(shake.angle) * np.hypot(*SIZE) / 2 == pytest.approx(30)
    assert max(np.ptp(shake.shift.real), np.ptp(shake.shift.imag)) == pytest.approx(10)
    assert abs(shake.displacement(40, 60).mean()) < 1  # so that nothing but the blur moves the photo


def test_a_path_longer_than_a_kernel_is_refused() -> None:
    still = np.zeros(3)
    shake = RollingShake(still, np.array([-40, 0, 40]) + 0j, SIZE)
    with pytest.raises(ValueError, match="longer than 64"):
        shake.kernel(75, 100)
