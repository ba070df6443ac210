"""EXIF, XMP and colour profile survive, and the orientation is applied once."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from kdcli.files.photo import parse_photo, read_photo, write_photo
from tests.conftest import pattern
from tests.files.seeds import (
    GREY_PROFILE,
    RGB_PROFILE,
    as_photo,
    camera_exif,
    has_heif,
    png,
    saved,
    sixteen_bit,
    tiff,
    xmp_packet,
)

PhotoFile = Callable[..., Path]


def tags(block: bytes | None) -> tuple[object, ...]:
    assert block is not None
    exif = Image.Exif()
    exif.load(block)
    return (
        exif[ExifTags.Base.Make],
        exif[ExifTags.Base.Orientation],
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime],
        exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef],
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("depth", [8, 16])
def test_exif_xmp_and_profile_are_kept(tmp_path: Path, suffix: str, depth: int) -> None:
    raw = pattern() if depth == 8 else sixteen_bit(3)
    photo = as_photo(raw, exif=camera_exif(), icc=RGB_PROFILE, xmp=xmp_packet())
    path = tmp_path / f"out{suffix}"
    write_photo(path, photo.pixels, like=photo)
    back = read_photo(path)
    assert back.icc == RGB_PROFILE
    assert back.xmp == xmp_packet()
    assert tags(back.exif) == ("Maker", 1, 0.25, "N")


@pytest.mark.parametrize(("suffix", "kept"), [(".png", True), (".webp", False)])
def test_a_grey_profile_goes_only_with_grey_pixels(tmp_path: Path, suffix: str, kept: bool) -> None:
    photo = as_photo(pattern(channels=None), icc=GREY_PROFILE)
    path = tmp_path / f"out{suffix}"
    write_photo(path, photo.pixels, like=photo)
    with Image.open(path) as image:
        assert ("icc_profile" in image.info) == kept


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    """What we read is what Pillow shows; written again, it stays so, and the tag says 1."""
    path = tmp_path / f"in{suffix}"
    lossless = {"lossless": True} if suffix == ".webp" else {}
    exif = camera_exif(orientation)
    Image.fromarray(pattern()).save(path, exif=exif, **lossless)
    with Image.open(path) as image:
        image.load()
        transposed = Image.Transpose
        turn = {
            2: transposed.FLIP_LEFT_RIGHT,
            3: transposed.ROTATE_180,
            4: transposed.FLIP_TOP_BOTTOM,
            5: transposed.TRANSPOSE,
            6: transposed.ROTATE_270,
            7: transposed.TRANSVERSE,
            8: transposed.ROTATE_90,
        }.get(orientation)
        stored = Image.fromarray(pattern()) if suffix != ".jpg" else image
        expected = np.asarray(stored if turn is None else stored.transpose(turn))
    photo = read_photo(path)
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), expected)
    assert tags(photo.exif)[1] == 1
    write_photo(tmp_path / "out.png", photo.pixels, like=photo)
    np.testing.assert_array_equal(read_photo(tmp_path / "out.png").pixels, photo.pixels)


def second_ifd(block: bytes | None) -> dict[int, object]:
    """The EXIF list that describes the thumbnail."""
    exif = Image.Exif()
    exif.load(block or b"")
    return exif.get_ifd(ExifTags.IFD.IFD1)


def test_a_thumbnail_which_would_show_the_blurred_photo_is_left_out(photo_file: PhotoFile) -> None:
    block = camera_exif().removeprefix(b"Exif\0\0")
    order = ">" if block.startswith(b"MM") else "<"
    (count,) = struct.unpack_from(f"{order}H", block, 8)
    pointer = 10 + 12 * count
    thumbnail = struct.pack(f"{order}HHHIHHI", 1, ExifTags.Base.Compression, 3, 1, 6, 0, 0)
    block = block[:pointer] + struct.pack(f"{order}I", len(block)) + block[pointer + 4 :] + thumbnail
    assert second_ifd(block) == {ExifTags.Base.Compression: 6}
    photo = read_photo(photo_file("photo.jpg", exif=b"Exif\0\0" + block))
    assert tags(photo.exif) == ("Maker", 1, 0.25, "N")
    assert second_ifd(photo.exif) == {}


def test_alpha_turns_with_the_photo(photo_file: PhotoFile) -> None:
    path = photo_file("photo.png", pattern(channels=4), exif=camera_exif(6))
    photo = read_photo(path)
    assert photo.alpha is not None
    np.testing.assert_array_equal(np.rint(photo.alpha * 255), np.rot90(pattern(channels=4)[..., 3], -1))


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    raw = sixteen_bit(4)
    photo = as_photo(raw, exif=camera_exif(), xmp=xmp_packet())
    said = write_photo(tmp_path / "out.bmp", photo.pixels, like=photo)
    assert [word in " ".join(said) for word in ("8 bits", "transparency", "EXIF")] == [True] * 3
    back = read_photo(tmp_path / "out.bmp")
    assert (back.bits, back.alpha, back.exif, back.xmp) == (8, None, None, None)


def test_exif_too_long_for_jpeg_is_left_out_and_said(tmp_path: Path) -> None:
    photo = as_photo(pattern(), exif=camera_exif(description="x" * 70000))
    said = write_photo(tmp_path / "out.jpg", photo.pixels, like=photo)
    assert len(said) == 1
    assert "EXIF" in said[0]
    assert read_photo(tmp_path / "out.jpg").exif is None


def test_xmp_too_long_for_jpeg_is_left_out_and_said(tmp_path: Path) -> None:
    photo = as_photo(pattern(), xmp=xmp_packet(text="x" * 70000))
    said = write_photo(tmp_path / "out.jpg", photo.pixels, like=photo)
    assert len(said) == 1
    assert "XMP" in said[0]
    assert read_photo(tmp_path / "out.jpg").xmp is None


def test_other_readers_see_the_xmp(tmp_path: Path) -> None:
    photo = as_photo(pattern(), xmp=xmp_packet())
    for suffix in (".jpg", ".png", ".webp"):
        write_photo(tmp_path / f"out{suffix}", photo.pixels, like=photo)
        with Image.open(tmp_path / f"out{suffix}") as image:
            image.load()
            assert image.info["xmp"] == xmp_packet()
    write_photo(tmp_path / "out.tif", photo.pixels, like=photo)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].tags["XMP"].value == xmp_packet()


def pictures(format: str, **settings: object) -> bytes:
    """A photo 36 wide and 24 high as stored."""
    if format == "TIFF":
        xmp = settings["xmp"]
        return tiff(pattern(), photometric="rgb", extratags=[(700, 1, len(xmp), xmp, True)])  # type: ignore[arg-type]
    return png(pattern(), **settings) if format == "PNG" else saved(pattern(), format, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_xmp_tells_the_orientation_where_exif_does_not(format: str) -> None:
    photo = parse_photo(pictures(format, xmp=xmp_packet(6)), "photo")
    assert photo.pixels.shape == (36, 24, 3)
    assert photo.xmp == xmp_packet(1)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_and_xmp_together_turn_a_photo_once(tmp_path: Path, format: str) -> None:
    data = pictures(format, exif=camera_exif(6), xmp=xmp_packet(6))
    photo = parse_photo(data, "photo")
    assert photo.pixels.shape == (36, 24, 3)
    assert tags(photo.exif)[1] == 1
    assert photo.xmp == xmp_packet(1)
    write_photo(tmp_path / "out.png", photo.pixels, like=photo)
    assert read_photo(tmp_path / "out.png").pixels.shape == (36, 24, 3)


@pytest.mark.parametrize(
    "format",
    ["AVIF", pytest.param("HEIF", marks=pytest.mark.skipif(not has_heif, reason="no pillow-heif"))],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_and_heic_are_turned_once(format: str, orientation: int) -> None:
    """They say it twice: as EXIF, and as a turn that is part of the picture."""
    if format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    stored = np.kron(pattern(4, 6), np.ones((16, 16, 1), np.uint8))
    photo = parse_photo(saved(stored, format, exif=camera_exif(orientation), quality=100), "photo")
    jpeg = saved(stored, "JPEG", exif=camera_exif(orientation), quality=100, subsampling=0)
    expected = parse_photo(jpeg, "photo").pixels
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels - expected).mean() < 0.02
    kept = Image.Exif()
    kept.load(photo.exif or b"")
    assert kept.get(ExifTags.Base.Orientation, 1) == 1
    assert kept[ExifTags.Base.Make] == "Maker"


def test_the_size_in_the_exif_is_that_of_the_turned_photo() -> None:
    exif = Image.Exif()
    exif.load(camera_exif(6))
    exif[ExifTags.Base.ImageWidth], exif[ExifTags.Base.ImageLength] = 36, 24
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 36
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageHeight] = 24
    photo = parse_photo(saved(pattern(), "JPEG", exif=exif), "photo")
    back = Image.Exif()
    back.load(photo.exif or b"")
    camera = back.get_ifd(ExifTags.IFD.Exif)
    assert (back[ExifTags.Base.ImageWidth], back[ExifTags.Base.ImageLength]) == (24, 36)
    assert (camera[ExifTags.Base.ExifImageWidth], camera[ExifTags.Base.ExifImageHeight]) == (24, 36)
    assert tags(photo.exif) == ("Maker", 1, 0.25, "N")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_tiffs_own_tags_are_kept_and_its_layout_is_not(big: bool, byteorder: str) -> None:
    made = tiff(
        pattern(),
        photometric="rgb",
        bigtiff=big,
        byteorder=byteorder,
        software="Painter",
        extratags=[(ExifTags.Base.Orientation, 3, 1, 6, True)],
    )
    photo = parse_photo(made, "photo")
    assert photo.pixels.shape == (36, 24, 3)
    exif = Image.Exif()
    exif.load(photo.exif or b"")
    assert exif[ExifTags.Base.Orientation] == 1
    if not (big and byteorder == ">"):  # of which Pillow reads no tags
        assert exif[ExifTags.Base.Software] == "Painter"
    assert 258 not in exif


def test_damaged_exif_is_left_out_and_said() -> None:
    """A list of tags that claims to hold the camera's, at a place beyond the end."""
    block = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 1)
    block += struct.pack("<HHII", ExifTags.IFD.Exif, 2, 9000, 9000) + bytes(4)
    photo = parse_photo(saved(pattern(), "JPEG", exif=b"Exif\0\0" + block), "photo")
    assert photo.pixels.shape == (24, 36, 3)
    assert photo.exif is None
