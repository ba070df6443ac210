"""Photos survive the way from a file and back, bit by bit where the format allows."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from kdcli.errors import KdError, UsageError
from kdcli.files import encode_tiff
from kdcli.files.jpeg_quality import jpeg_quality
from kdcli.files.photo import Photo, parse_photo, read_photo, write_photo
from tests.conftest import pattern
from tests.files.seeds import as_photo, camera_exif, saved, sixteen_bit

PhotoFile = Callable[..., Path]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("channels", [None, 2, 3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_lossless_formats_return_every_bit(
    tmp_path: Path, suffix: str, channels: int | None, depth: int
) -> None:
    raw = sixteen_bit(channels)
    raw = raw if depth == 16 else (raw >> 8).astype(np.uint8)
    photo = as_photo(raw)
    path = tmp_path / f"out{suffix}"
    assert write_photo(path, photo.pixels, like=photo) == []
    back = read_photo(path)
    assert back.bits == depth
    np.testing.assert_array_equal(back.pixels, photo.pixels)
    if photo.alpha is None:
        assert back.alpha is None
    else:
        assert back.alpha is not None
        np.testing.assert_array_equal(back.alpha, photo.alpha)


@pytest.mark.parametrize("channels", [None, 3])
def test_other_readers_see_the_same_16_bit_files(tmp_path: Path, channels: int | None) -> None:
    raw = sixteen_bit(channels)
    photo = as_photo(raw, exif=camera_exif())
    for suffix in (".png", ".tif"):
        write_photo(tmp_path / f"out{suffix}", photo.pixels, like=photo)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), raw)
    np.testing.assert_array_equal(imagecodecs.png_decode((tmp_path / "out.png").read_bytes()), raw)


def test_a_tiff_of_many_strips_and_big_endian_exif(tmp_path: Path) -> None:
    """More than one strip's worth of pixels, their order dictated by the EXIF block's."""
    raw = np.random.default_rng(1).integers(0, 65536, (700, 400, 3), dtype=np.uint16)
    entry = struct.pack(">HHII", ExifTags.Base.Make, 2, 6, 26)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4) + b"Maker\0"
    photo = as_photo(raw, exif=exif)
    path = tmp_path / "out.tif"
    write_photo(path, photo.pixels, like=photo)
    assert path.read_bytes().startswith(b"MM")
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages[0].dataoffsets) > 1
        np.testing.assert_array_equal(tiff.asarray(), raw)


def test_bmp_returns_every_bit(tmp_path: Path) -> None:
    photo = as_photo(pattern())
    write_photo(tmp_path / "out.bmp", photo.pixels, like=photo)
    np.testing.assert_array_equal(read_photo(tmp_path / "out.bmp").pixels, photo.pixels)


@pytest.mark.parametrize(("suffix", "bound"), [(".jpg", 0.03), (".jpeg", 0.03), (".webp", 0.06)])
def test_lossy_formats_come_close(tmp_path: Path, suffix: str, bound: float) -> None:
    photo = as_photo(pattern(64, 96))
    write_photo(tmp_path / f"out{suffix}", photo.pixels, like=photo)
    assert np.abs(read_photo(tmp_path / f"out{suffix}").pixels - photo.pixels).max() < bound


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    colour=st.booleans(),
    alpha=st.booleans(),
    deep=st.booleans(),
    suffix=st.sampled_from([".png", ".tif"]),
    seed=st.integers(0, 2**31),
)
def test_any_photo_makes_the_round_trip(
    tmp_path: Path, height: int, width: int, colour: bool, alpha: bool, deep: bool, suffix: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.random((height, width, 3) if colour else (height, width), np.float32)
    photo = Photo(pixels, rng.random((height, width), np.float32) if alpha else None, 16 if deep else 8)
    path = tmp_path / f"out{suffix}"
    write_photo(path, pixels, like=photo, overwrite=True)
    back = read_photo(path)
    step = 0.51 / (2**photo.bits - 1)
    assert np.abs(back.pixels - pixels).max() <= step
    assert (back.alpha is None) == (not alpha)
    if back.alpha is not None and photo.alpha is not None:
        assert np.abs(back.alpha - photo.alpha).max() <= step


def quality_of(path: Path) -> int:
    with Image.open(path) as image:
        return jpeg_quality(image.quantization[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("quality", range(1, 101))
def test_a_quality_is_told_from_the_tables(quality: int) -> None:
    assert parse_photo(saved(pattern(), "JPEG", quality=quality), "photo").quality == quality


@pytest.mark.parametrize("source", [{}, {"progressive": True}, {"subsampling": 2}])
def test_a_jpeg_is_written_at_its_own_quality(tmp_path: Path, source: dict[str, int]) -> None:
    photo = parse_photo(saved(pattern(), "JPEG", quality=83, **source), "photo")
    write_photo(tmp_path / "own.jpg", photo.pixels, like=photo)
    write_photo(tmp_path / "told.jpg", photo.pixels, like=photo, quality=40)
    assert (quality_of(tmp_path / "own.jpg"), quality_of(tmp_path / "told.jpg")) == (83, 40)


def test_other_photos_become_jpegs_of_95(tmp_path: Path) -> None:
    photo = parse_photo(saved(pattern(), "PNG"), "photo")
    write_photo(tmp_path / "out.jpg", photo.pixels, like=photo)
    assert quality_of(tmp_path / "out.jpg") == 95


def test_quality_is_webps_too(tmp_path: Path) -> None:
    noise = as_photo(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    sizes = []
    for quality in (20, 90):
        write_photo(tmp_path / f"{quality}.webp", noise.pixels, like=noise, quality=quality)
        sizes.append((tmp_path / f"{quality}.webp").stat().st_size)
    assert sizes[0] < 0.7 * sizes[1]


@pytest.mark.parametrize("name", ["out.gif", "out", "out.jpg.txt"])
def test_an_unknown_output_format_is_a_usage_error(tmp_path: Path, name: str) -> None:
    photo = as_photo(pattern())
    with pytest.raises(UsageError, match="format"):
        write_photo(tmp_path / name, photo.pixels, like=photo)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_stays_unless_overwritten(photo_file: PhotoFile) -> None:
    path = photo_file("photo.png")
    before = path.read_bytes()
    photo = as_photo(pattern())
    with pytest.raises(UsageError, match="--overwrite"):
        write_photo(path, 1 - photo.pixels, like=photo)
    assert path.read_bytes() == before
    write_photo(path, 1 - photo.pixels, like=photo, overwrite=True)
    assert path.read_bytes() != before


def test_nan_is_never_written(tmp_path: Path) -> None:
    photo = as_photo(pattern())
    with pytest.raises(KdError, match="NaN"):
        write_photo(tmp_path / "out.png", photo.pixels * np.nan, like=photo)
    assert list(tmp_path.iterdir()) == []


def test_a_photo_too_wide_for_webp_is_refused(tmp_path: Path) -> None:
    photo = as_photo(np.zeros((16, 17_000), np.uint8))
    with pytest.raises(KdError, match="17000x16"):
        write_photo(tmp_path / "out.webp", photo.pixels, like=photo)
    assert list(tmp_path.iterdir()) == []


def test_a_photo_too_large_for_tiff_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its places are 32-bit numbers: here, as if they had fewer."""
    monkeypatch.setattr(encode_tiff, "_MOST_BYTES", 1000)
    photo = as_photo(sixteen_bit(3))
    with pytest.raises(KdError, match="24x20 pixels do not fit TIFF"):
        write_photo(tmp_path / "out.tif", photo.pixels, like=photo)
    assert list(tmp_path.iterdir()) == []
