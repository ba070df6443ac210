"""Kernels survive the way to a file and back, and what is no kernel is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kdcli.errors import KdError, UsageError
from kdcli.files.psf import read_psf, write_psf


def stroke() -> np.ndarray:
    kernel = np.zeros((64, 64), np.float32)
    for step in range(-8, 9):
        kernel[32 + step // 2, 32 + step] = 1 + step % 3
    return kernel / kernel.sum()


def centre(kernel: np.ndarray) -> tuple[float, float]:
    place = np.arange(64)
    return float(place @ kernel.sum(1)), float(place @ kernel.sum(0))


def test_npy_returns_the_kernel(tmp_path: Path) -> None:
    write_psf(tmp_path / "k.npy", 3 * stroke())
    stored = np.load(tmp_path / "k.npy")
    assert stored.dtype == np.float32
    assert stored.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(read_psf(tmp_path / "k.npy"), stroke(), atol=1e-7)


def test_png_is_scaled_to_its_peak(tmp_path: Path) -> None:
    write_psf(tmp_path / "k.png", stroke())
    with Image.open(tmp_path / "k.png") as image:
        assert image.mode == "L"
        assert np.asarray(image).max() == 255
    back = read_psf(tmp_path / "k.png")
    assert back.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(back - stroke()).max() < 0.01 * stroke().max()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), border=st.integers(0, 40), seed=st.integers(0, 99)
)
def test_any_small_kernel_is_centred_and_keeps_its_shape(
    tmp_path: Path, height: int, width: int, border: int, seed: int
) -> None:
    """Wherever it lies in its picture, however wide the empty border: up to the canvas's centre of mass."""
    small = np.random.default_rng(seed).random((height, width)) + 0.01
    np.save(tmp_path / "k.npy", np.pad(small, ((border, 0), (0, 2 * border))))
    kernel = read_psf(tmp_path / "k.npy")
    assert kernel.shape == (64, 64)
    assert kernel.dtype == np.float32
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert all(abs(place - 32) <= 0.5 + 1e-4 for place in centre(kernel))
    rows, columns = np.nonzero(kernel)
    cut = kernel[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_allclose(cut, small / small.sum(), rtol=1e-4)


def test_a_lopsided_kernel_stays_whole(tmp_path: Path) -> None:
    kernel = np.full((60, 60), 1e-4)
    kernel[5, 5] = 1
    np.save(tmp_path / "k.npy", kernel)
    read = read_psf(tmp_path / "k.npy")
    assert np.count_nonzero(read) == 3600
    np.testing.assert_allclose(read[4:, 4:], kernel / kernel.sum(), rtol=1e-5)


def test_rounding_below_zero_is_forgiven(tmp_path: Path) -> None:
    kernel = stroke()
    kernel[10, 10] = -1e-5 * kernel.max()
    np.save(tmp_path / "k.npy", kernel)
    assert read_psf(tmp_path / "k.npy").min() == 0


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((9, 9)), "above zero"),
        (np.zeros((0, 9)), "above zero"),
        (np.full((9, 9), np.nan), "NaN"),
        (np.eye(9) - 0.2, "negative"),
        (np.ones((65, 3)), "3x65"),
        (np.ones(9), "shape"),
        (np.ones((9, 9, 3)), "shape"),
        (np.full((9, 9), 1j), "complex"),
        (np.full((9, 9), "a"), "shape"),
    ],
)
def test_what_is_no_kernel_is_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    path = tmp_path / "k.npy"
    np.save(path, array)
    with pytest.raises(KdError, match=words) as caught:
        read_psf(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 1


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "k.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(KdError, match=r"no \.npy array"):
        read_psf(path)


def test_text_named_npy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k.npy").write_text("no array")
    with pytest.raises(KdError, match=r"no \.npy array"):
        read_psf(tmp_path / "k.npy")


def test_a_colour_picture_is_refused_and_a_grey_one_in_rgb_is_read(tmp_path: Path) -> None:
    grey = np.zeros((9, 9), np.uint8)
    grey[4, 2:7] = 200
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "grey.png")
    assert read_psf(tmp_path / "grey.png")[32, 30:35] == pytest.approx(0.2, abs=1e-6)
    Image.fromarray(np.stack([grey, grey // 2, grey], -1)).save(tmp_path / "colour.png")
    with pytest.raises(KdError, match="grey"):
        read_psf(tmp_path / "colour.png")


def test_a_whole_photo_is_refused(tmp_path: Path) -> None:
    Image.new("L", (300, 200), 90).save(tmp_path / "photo.png")
    with pytest.raises(KdError, match="300x200"):
        read_psf(tmp_path / "photo.png")


def test_a_missing_kernel_and_an_unknown_suffix_are_usage_errors(tmp_path: Path) -> None:
    for name in ("none.npy", "none.png"):
        with pytest.raises(UsageError, match="does not exist"):
            read_psf(tmp_path / name)
    with pytest.raises(UsageError, match="format"):
        write_psf(tmp_path / "k.tif", stroke())
    assert list(tmp_path.iterdir()) == []


def test_a_header_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.npy"
    np.save(path, np.ones((64, 64)))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"(64, 64)", b"(9999999, 9999999)").replace(b" " * 10, b"", 1))
    with pytest.raises(KdError, match=r"no \.npy array"):
        read_psf(path)


def test_a_file_too_large_for_a_kernel_is_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.zeros((2000, 2000)))
    with pytest.raises(KdError, match="what kd reads here has at most 16"):
        read_psf(tmp_path / "k.npy")
