"""Gaps in a camera's path."""

from __future__ import annotations

import pytest
import torch
from skimage.measure import label

from kdcli.blur.kernels import normalise
from kdcli.blur.path import linked


def kernel_of(*pixels: tuple[int, int, float]) -> torch.Tensor:
    kernel = torch.zeros(1, 1, 64, 64)
    for row, column, weight in pixels:
        kernel[0, 0, row, column] = weight
    return normalise(kernel)


def relative(kernel: torch.Tensor) -> torch.Tensor:
    return kernel[0, 0] / kernel.amax()


def pieces(kernel: torch.Tensor, above: float) -> int:
    return int(label(relative(kernel).numpy() > above, connectivity=2).max())


@pytest.mark.parametrize(
    "pixels",
    [
        [(32, 32, 1.0)],
        [(30, 30, 1.0), (31, 31, 0.5), (32, 31, 1.0)],  # corners touch
        [(32, column, 1.0) for column in range(20, 45)] + [(10, 10, 0.1)],  # faint: no part of its own
        [(32, column, 1.0) for column in range(5, 60)] + [(10, 10, 0.9)],  # less than 2 % of the mass
    ],
)
def test_what_is_in_one_piece_stays(pixels: list[tuple[int, int, float]]) -> None:
    kernel = kernel_of(*pixels)
    assert linked(kernel) is kernel


def test_parts_are_linked_faintly() -> None:
    kernel = kernel_of((20, 20, 1.0), (20, 44, 0.8), (40, 32, 0.6))
    found = linked(kernel)
    assert float(found.sum()) == pytest.approx(1)
    assert (pieces(kernel, 0.05), pieces(found, 0.05)) == (3, 1)
    assert float(relative(found)[20, 20]) == 1  # the parts are as strong as they were
    between = relative(found)[20, 25:40]
    assert float(between.amax()) <= 0.25 + 1e-6
    assert float(between.amin()) > 0.15


def test_two_parts_that_nearly_touch_are_linked() -> None:
    found = linked(kernel_of((32, 30, 1.0), (32, 32, 1.0)))
    assert float(relative(found)[32, 31]) == pytest.approx(0.25)


def test_links_follow_what_is_left_of_the_path() -> None:
    around = [(20 + i, 20, 0.1) for i in range(1, 20)] + [(39, 20 + i, 0.1) for i in range(1, 19)]
    kernel = kernel_of((20, 20, 1.0), (39, 39, 1.0), *around)
    found = relative(linked(kernel))
    assert 0.15 < float(found[30, 20]) < 0.26
    assert float(found[30, 29]) == 0  # not straight across, where nothing is
