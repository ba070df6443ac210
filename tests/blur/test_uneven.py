"""Blur that is nearly the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.kernels import impulse, radius
from kdcli.blur.shake import shake_kernels
from kdcli.blur.uneven import convolve_uneven, deformed


def shake(count: int) -> torch.Tensor:
    return torch.from_numpy(shake_kernels(count, np.random.default_rng(5), (8.0, 26.0)))[:, None]


@pytest.mark.parametrize("border", ["reflect", "valid"])
def test_without_a_bend_it_is_a_convolution(border: str) -> None:
    image = torch.rand((2, 3, 90, 100), generator=torch.Generator().manual_seed(0))
    kernel, none = shake(2), torch.zeros(2, 2, 2, 2)
    expected = convolve(image, kernel, border)  # type: ignore[arg-type]
    found = convolve_uneven(image, kernel, none, border)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("matrix", "row", "column"),
    [
        ([[0.0, 0.0], [0.0, 0.2]], 32, 44.5),  # 10 to the right, half as far again as it may
        ([[0.0, 0.2], [0.0, 0.0]], 34, 42),  # columns turn into rows
        ([[0.0, 0.0], [0.2, 0.0]], 32, 42),  # there are no rows
    ],
)
def test_a_place_goes_where_the_matrix_says(matrix: list[list[float]], row: float, column: float) -> None:
    point = impulse().roll(10, -1)[None, None]
    moved = deformed(point, torch.tensor([matrix]))[0, 0]
    places = torch.arange(64.0)
    assert float(moved.sum()) == pytest.approx(1)
    assert float((moved.sum(1) * places).sum()) == pytest.approx(row, abs=0.1)
    assert float((moved.sum(0) * places).sum()) == pytest.approx(column, abs=0.6)


def test_the_kernel_is_that_of_the_place() -> None:
    kernel = shake(1)
    bend = 0.1 * torch.randn((1, 2, 2, 2), generator=torch.Generator().manual_seed(1))
    dots = torch.zeros(1, 1, 257, 257)
    for place in (64, 128, 192):
        dots[..., place, place] = 1
    blurred = convolve_uneven(dots, kernel, bend)
    for place, share in ((64, -0.5), (128, 0.0), (192, 0.5)):
        seen = blurred[..., place - 32 : place + 32, place - 32 : place + 32]
        expected = deformed(kernel, share * bend.sum(1))
        assert float((seen - expected).abs().sum()) < 0.25
        if share != 0:
            assert float((seen - kernel).abs().sum()) > float((seen - expected).abs().sum())


def test_radius() -> None:
    two = (impulse().roll(7, 0) + impulse().roll(-1, 1)) / 2
    assert float(radius(two)) == pytest.approx(5)
    assert float(radius(impulse())) == 1
