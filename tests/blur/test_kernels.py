"""The algebra of kernels against the definitions, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur import kernels as algebra
from kdcli.blur.families import sample


def random_kernel(seed: int = 0, size: int = 64) -> torch.Tensor:
    return torch.rand(size, size, generator=torch.Generator().manual_seed(seed))


def spot(row: int, column: int, shape: tuple[int, int] = (3, 5)) -> torch.Tensor:
    """A block of ones on the canvas, its centre at a pixel."""
    kernel = torch.zeros(64, 64)
    top, left = row - shape[0] // 2, column - shape[1] // 2
    kernel[top : top + shape[0], left : left + shape[1]] = 1
    return kernel


def test_normalise_clamps_and_scales_each_kernel_by_itself() -> None:
    given = torch.tensor([[[3.0, -5.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 8.0]]])
    wanted = torch.tensor([[[0.75, 0.0], [0.25, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
    torch.testing.assert_close(algebra.normalise(given), wanted)


def test_an_empty_kernel_becomes_an_impulse() -> None:
    found = algebra.normalise(-torch.ones(2, 1, 64, 64))
    assert found[:, 0, 32, 32].tolist() == [1, 1]
    assert found.sum() == 2


def test_centre_of_mass() -> None:
    kernel = torch.zeros(2, 64, 64)
    kernel[0, 10, 20], kernel[0, 11, 20], kernel[1, 5, 60] = 1, 3, 2
    row, column = algebra.centre_of_mass(kernel)
    torch.testing.assert_close(row, torch.tensor([10.75, 5.0]))
    torch.testing.assert_close(column, torch.tensor([20.0, 60.0]))


@pytest.mark.parametrize("place", [(5, 40), (60, 3), (32, 32)])
def test_centred_moves_by_whole_pixels(place: tuple[int, int]) -> None:
    found = algebra.centred(spot(*place))
    torch.testing.assert_close(found, spot(32, 32) / 15)
    np.testing.assert_array_equal(algebra.centred(spot(*place).numpy()), found.numpy())


def test_centred_loses_what_leaves_the_canvas() -> None:
    kernel = torch.zeros(64, 64)
    kernel[0, 0], kernel[63, 63] = 0.1, 0.9  # centre of mass at 56.7: the first pixel leaves
    found = algebra.centred(kernel)
    assert found[38, 38] == 1
    assert found.sum() == 1


def test_shift_by_whole_pixels_is_a_move_and_zeros_enter() -> None:
    kernel = random_kernel()
    found = algebra.shift(kernel[None, None], 3.0, -2.0)[0, 0]
    wanted = torch.zeros(64, 64)
    wanted[3:, :-2] = kernel[:-3, 2:]
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_shift_by_parts_of_a_pixel_is_bicubic_and_each_kernel_has_its_own() -> None:
    kernel = random_kernel()[None, None].expand(2, -1, -1, -1)
    found = algebra.shift(kernel, torch.tensor([0.0, 0.25]), torch.tensor([0.5, 0.0]))
    k = kernel[0, 0]
    half = (19 * (k[:, 2:-1] + k[:, 1:-2]) - 3 * (k[:, 3:] + k[:, :-3])) / 32
    torch.testing.assert_close(found[0, 0, :, 2:-1], half.clamp(min=0), atol=1e-4, rtol=0)
    quarter = (225 * k[2:-1] + 67 * k[1:-2] - 27 * k[3:] - 9 * k[:-3]) / 256
    torch.testing.assert_close(found[1, 0, 2:-1], quarter.clamp(min=0), atol=1e-4, rtol=0)


def test_finest_shift_is_found_to_parts_of_a_pixel_in_both_directions() -> None:
    place = torch.arange(64.0) - 32
    along, across = place[:, None] + place, place[:, None] - place  # a diagonal streak: the directions mix

    def streak(row: float, column: float) -> torch.Tensor:
        return torch.exp(-((along - row - column) ** 2) / 200 - (across - row + column) ** 2 / 16)

    moved = torch.stack([streak(2.3, -1.2), streak(-0.4, -0.3)])
    rows, columns = algebra.finest_shift(streak(0, 0).expand(2, -1, -1), moved)
    torch.testing.assert_close(rows, torch.tensor([-2.3, 0.4]), atol=0.1, rtol=0)
    torch.testing.assert_close(columns, torch.tensor([1.2, 0.3]), atol=0.1, rtol=0)


def test_width_is_the_longer_side_of_what_can_be_seen() -> None:
    assert algebra.width(spot(30, 30, (4, 11))) == 11
    faint = spot(30, 30, (4, 11))
    faint[60, 30] = 0.04
    assert algebra.width(faint) == 11
    assert algebra.width(faint, threshold=0.03) == 33
    assert algebra.width(torch.zeros(64, 64)) == 0


def test_mnc_is_the_best_of_all_shifts() -> None:
    a, b = random_kernel(1, 6).double(), random_kernel(2, 6).double() ** 4
    canvas = np.zeros((18, 18))
    canvas[6:12, 6:12] = a
    products = [
        (canvas[row : row + 6, column : column + 6] * b.numpy()).sum()
        for row in range(13)
        for column in range(13)
    ]
    wanted = max(products) / float(a.norm() * b.norm())
    assert float(algebra.mnc(a, b)) == pytest.approx(wanted, abs=1e-9)
    assert float(algebra.mnc(b, a)) == pytest.approx(wanted, abs=1e-9)


def test_mnc_forgives_shift_and_scale_and_nothing_else() -> None:
    a, b = spot(20, 30), 7 * spot(50, 10)
    assert float(algebra.mnc(a, b)) == pytest.approx(1, abs=1e-5)
    assert float(algebra.mnc(a, a.T)) == pytest.approx(9 / 15, abs=1e-5)  # 3x3 of 3x5 overlap


def test_kernels_do_not_wrap_around_the_canvas() -> None:
    a, b = torch.zeros(64, 64), torch.zeros(64, 64)
    a[0, 0] = a[63, 0] = b[0, 0] = b[1, 0] = 1
    assert float(algebra.mnc(a, b)) == pytest.approx(0.5, abs=1e-5)


def test_exact_centring_moves_the_path_and_leaves_its_shape() -> None:
    lines = torch.zeros(2, 1, 64, 64)
    lines[0, 0, 29, 20:40] = 1
    lines[1, 0, 10:41, 36] = 1
    smooth = algebra.normalise(torch.nn.functional.avg_pool2d(lines, 3, 1, 1))
    moved = algebra.centred_exactly(smooth)
    for centre in algebra.centre_of_mass(moved):
        torch.testing.assert_close(centre, torch.full((2, 1), 32.0), atol=0.05, rtol=0)
    assert float(moved.min()) >= 0
    torch.testing.assert_close(moved.sum((-2, -1)), torch.ones(2, 1))
    assert (algebra.mnc(moved[:, 0], smooth[:, 0]) > 0.97).all()


def test_no_blur_is_told_from_a_small_one() -> None:
    nothing = algebra.impulse(64)
    assert algebra.is_no_blur(nothing)
    assert algebra.is_no_blur(0.8 * nothing + 0.2 / 4096)
    assert not algebra.is_no_blur((nothing + nothing.roll(1, 0) + nothing.roll(2, 0)) / 3)
    paths = torch.from_numpy(sample("motion", 20, np.random.default_rng(6)))
    assert not any(algebra.is_no_blur(kernel) for kernel in paths)
