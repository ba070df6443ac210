"""The measures against figures worked out by hand, and the search for the best shift."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as spline_shift

from kdcli.bench import measures
from kdcli.errors import KdError


def photo(seed: int = 0, height: int = 120, width: int = 140) -> np.ndarray:
    """Smooth grain (H, W, 3) float32 in [0, 1]."""
    grain = np.random.default_rng(seed).uniform(size=(height, width, 3))
    smooth = gaussian_filter(grain, (2, 2, 0))
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


def test_psnr_by_hand() -> None:
    sharp = np.full((20, 20, 3), 0.5, np.float32)
    assert measures.psnr(sharp + 0.1, sharp) == pytest.approx(20, abs=1e-4)
    one = sharp.copy()
    one[..., 0] += 0.3  # a third of the values, error 0.09
    assert measures.psnr(one, sharp) == pytest.approx(-10 * math.log10(0.03), abs=1e-4)
    assert measures.psnr(sharp, sharp) == math.inf


def test_what_a_file_could_not_hold_is_clipped() -> None:
    sharp = np.ones((20, 20, 3), np.float32)
    restored = sharp + 5
    restored[:10] = 0.9
    assert measures.psnr(restored, sharp) == pytest.approx(-10 * math.log10(0.005), abs=1e-4)
    assert measures.ssim(sharp + 5, sharp) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(20, 20, 3), (20, 20)])
def test_ssim_of_flat_images_by_hand(shape: tuple[int, ...]) -> None:
    a, b, c1 = 0.5, 0.7, 0.01**2
    wanted = (2 * a * b + c1) / (a**2 + b**2 + c1)  # no structure: what is left is the luminance term
    found = measures.ssim(np.full(shape, a, np.float32), np.full(shape, b, np.float32))
    assert found == pytest.approx(wanted, abs=1e-4)


def test_ssim_is_the_mean_over_the_channels() -> None:
    sharp, restored = photo(0), photo(0)
    restored[..., 1] = photo(1)[..., 1]
    alone = measures.ssim(restored[..., 1], sharp[..., 1])
    assert alone < 0.5
    assert measures.ssim(restored, sharp) == pytest.approx((2 + alone) / 3, abs=1e-5)


@pytest.mark.parametrize("move", [(0, 0), (5, -9), (-16, 16)])
def test_whole_shifts_are_undone_exactly(move: tuple[int, int]) -> None:
    sharp = photo()
    moved = np.roll(sharp, (-move[0], -move[1]), (0, 1))
    assert measures.best_shift(moved, sharp) == move
    assert measures.psnr(*measures.align(moved, sharp)) == math.inf
    assert measures.ssim(*measures.align(moved, sharp)) == pytest.approx(1)
    assert move == (0, 0) or measures.psnr(moved, sharp) < 20


@pytest.mark.parametrize("move", [(0.5, 0.0), (-3.25, 7.75), (1.3, -0.4)])
def test_parts_of_a_pixel_are_found(move: tuple[float, float]) -> None:
    sharp = photo()
    moved = spline_shift(sharp, (-move[0], -move[1], 0), order=5, mode="mirror")
    assert measures.best_shift(moved, sharp) == pytest.approx(move, abs=1 / 16)
    assert measures.psnr(*measures.align(moved, sharp)) > 35 > measures.psnr(moved, sharp)
    assert measures.ssim(*measures.align(moved, sharp)) > 0.98


def test_the_border_is_left_out() -> None:
    sharp = photo()
    spoilt = 1 - sharp
    spoilt[32:-32, 32:-32] = sharp[32:-32, 32:-32]
    assert measures.psnr(*measures.align(spoilt, sharp)) == math.inf
    restored, wanted = measures.align(spoilt, sharp)
    assert restored.shape == wanted.shape == (56, 76, 3)
    spoilt[32, 32] = 1 - sharp[32, 32]
    assert measures.psnr(*measures.align(spoilt, sharp)) < 60


def test_alignment_never_costs_more_than_the_border() -> None:
    sharp, other = photo(0), photo(1)
    inner = (slice(32, -32), slice(32, -32))
    assert measures.psnr(*measures.align(other, sharp)) >= measures.psnr(other[inner], sharp[inner])


def test_grey_images_align_too() -> None:
    sharp = photo()[..., 0]
    assert measures.best_shift(np.roll(sharp, 3, 0), sharp) == (-3, 0)
    assert measures.psnr(*measures.align(np.roll(sharp, 3, 0), sharp)) == math.inf


@pytest.mark.parametrize(("a", "b"), [((71, 100, 3), (71, 100, 3)), ((90, 90, 3), (90, 91, 3))])
def test_images_that_cannot_be_aligned(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(KdError, match="cannot be aligned"):
        measures.align(np.zeros(a), np.zeros(b))


def test_mnc_by_hand() -> None:
    line, point = np.zeros((64, 64), np.float32), np.zeros((64, 64), np.float32)
    line[10, 5:9], point[40, 40] = 0.25, 1
    assert measures.mnc(line, point) == pytest.approx(0.5)
    assert measures.mnc(np.roll(line, 9, 0), 3 * line) == pytest.approx(1)
