"""Photos survive the way from a file and back, and what is no photo is told so in one line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from kdcli.errors import KdError, UsageError
from kdcli.files import decode as decoding
from kdcli.files.photo import Photo, read_photo, write_photo
from tests.conftest import pattern

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = RGB_PROFILE[:16] + b"GRAY" + RGB_PROFILE[20:]


def camera_exif(orientation: int = 1, description: str = "") -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.25
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    if description:
        exif[ExifTags.Base.ImageDescription] = description
    return exif.tobytes()


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


def sixteen_bit(channels: int | None) -> np.ndarray:
    """Samples whose low bytes matter."""
    shape = (20, 24) if channels is None else (20, 24, channels)
    return np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)


def as_photo(raw: np.ndarray, **kept: object) -> Photo:
    samples = (raw / np.iinfo(raw.dtype).max).astype(np.float32)
    bits = 8 * raw.dtype.itemsize
    if raw.ndim == 3 and raw.shape[2] in (2, 4):
        colour = samples[..., 0] if raw.shape[2] == 2 else samples[..., :3]
        return Photo(colour, samples[..., -1], bits, **kept)  # type: ignore[arg-type]
    return Photo(samples, None, bits, **kept)  # type: ignore[arg-type]


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


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("depth", [8, 16])
def test_exif_and_profile_are_kept(tmp_path: Path, suffix: str, depth: int) -> None:
    raw = pattern() if depth == 8 else sixteen_bit(3)
    photo = as_photo(raw, exif=camera_exif(), icc=RGB_PROFILE)
    path = tmp_path / f"out{suffix}"
    write_photo(path, photo.pixels, like=photo)
    back = read_photo(path)
    assert back.icc == RGB_PROFILE
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


def test_a_thumbnail_which_would_show_the_blurred_photo_is_left_out(photo_file) -> None:
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


def test_alpha_turns_with_the_photo(photo_file) -> None:
    path = photo_file("photo.png", pattern(channels=4), exif=camera_exif(6))
    photo = read_photo(path)
    assert photo.alpha is not None
    np.testing.assert_array_equal(np.rint(photo.alpha * 255), np.rot90(pattern(channels=4)[..., 3], -1))


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    raw = sixteen_bit(4)
    photo = as_photo(raw, exif=camera_exif())
    said = write_photo(tmp_path / "out.bmp", photo.pixels, like=photo)
    assert [word in " ".join(said) for word in ("8 bits", "transparency", "EXIF")] == [True] * 3
    back = read_photo(tmp_path / "out.bmp")
    assert (back.bits, back.alpha, back.exif) == (8, None, None)


def test_exif_too_long_for_jpeg_is_left_out_and_said(tmp_path: Path) -> None:
    photo = as_photo(pattern(), exif=camera_exif(description="x" * 70000))
    said = write_photo(tmp_path / "out.jpg", photo.pixels, like=photo)
    assert len(said) == 1
    assert "EXIF" in said[0]
    assert read_photo(tmp_path / "out.jpg").exif is None


def palette(transparent: bool) -> Image.Image:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 255, 128, 0])
    image.putpixel((3, 2), 0)
    if transparent:
        image.info["transparency"] = 0
    return image


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    palette(False).save(tmp_path / "p.png")
    photo = read_photo(tmp_path / "p.png")
    np.testing.assert_array_equal(np.rint(photo.pixels[0, 0] * 255), [255, 128, 0])
    assert photo.alpha is None


def test_a_palette_with_a_transparent_entry_becomes_rgb_and_alpha(tmp_path: Path) -> None:
    palette(True).save(tmp_path / "p.png", transparency=0)
    photo = read_photo(tmp_path / "p.png")
    assert photo.pixels.shape == (20, 20, 3)
    assert photo.alpha is not None
    assert (photo.alpha[2, 3], photo.alpha[0, 0]) == (0, 1)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiffs_of_other_programs(tmp_path: Path, compression: str | None, planar: str) -> None:
    raw = sixteen_bit(3)
    stored = raw if planar == "contig" else np.moveaxis(raw, -1, 0)
    tifffile.imwrite(
        tmp_path / "t.tif", stored, photometric="rgb", compression=compression, planarconfig=planar
    )
    photo = read_photo(tmp_path / "t.tif")
    assert photo.bits == 16
    np.testing.assert_array_equal(np.rint(photo.pixels * 65535), raw)


def test_tiff_with_white_as_zero(tmp_path: Path) -> None:
    raw = pattern(channels=None)
    tifffile.imwrite(tmp_path / "t.tif", raw, photometric="miniswhite")
    np.testing.assert_array_equal(np.rint(read_photo(tmp_path / "t.tif").pixels * 255), 255 - raw)


def test_tiff_with_premultiplied_alpha(tmp_path: Path) -> None:
    raw = np.full((20, 20, 4), 64, np.uint8)
    raw[..., 3] = 128
    tifffile.imwrite(tmp_path / "t.tif", raw, photometric="rgb", extrasamples=["ASSOCALPHA"])
    photo = read_photo(tmp_path / "t.tif")
    np.testing.assert_allclose(photo.pixels, 0.5)


def test_float_tiff_is_read_as_it_is_and_written_with_16_bits(tmp_path: Path) -> None:
    raw = np.linspace(0, 1, 20 * 24, dtype=np.float32).reshape(20, 24)
    tifffile.imwrite(tmp_path / "t.tif", raw)
    photo = read_photo(tmp_path / "t.tif")
    assert photo.bits == 16
    np.testing.assert_array_equal(photo.pixels, raw)


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


def in_format(suffix: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pattern(64, 64)).save(
        file, {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())
    )
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.8])
def test_a_cut_off_file_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    data = in_format(suffix)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: max(12, int(kept * len(data)))])
    with pytest.raises(KdError, match="damaged") as caught:
        read_photo(path)
    assert_one_line(caught.value, path, 1)


def test_a_cut_off_16_bit_png_is_refused(tmp_path: Path) -> None:
    photo = as_photo(sixteen_bit(3))
    write_photo(tmp_path / "p.png", photo.pixels, like=photo)
    data = (tmp_path / "p.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(KdError, match="damaged"):
        read_photo(tmp_path / "cut.png")


def assert_one_line(error: KdError, path: Path, exit_code: int) -> None:
    assert str(path) in str(error)
    assert "\n" not in str(error)
    assert error.exit_code == exit_code


@pytest.mark.parametrize("content", [b"", b"just some text\n", b"GIF89a" + bytes(40)])
def test_what_is_no_photo_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    with pytest.raises(KdError, match="not a photo") as caught:
        read_photo(path)
    assert_one_line(caught.value, path, 1)


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_a_tiny_photo_is_refused(photo_file, size: tuple[int, int]) -> None:
    path = photo_file("tiny.png", pattern(*size))
    with pytest.raises(KdError, match="too small") as caught:
        read_photo(path)
    assert_one_line(caught.value, path, 1)


def test_the_smallest_photo_is_read(photo_file) -> None:
    assert read_photo(photo_file("small.png", pattern(16, 16))).pixels.shape == (16, 16, 3)


def test_missing_file_and_folder_are_usage_errors(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.jpg", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(UsageError, match=words) as caught:
            read_photo(path)
        assert_one_line(caught.value, path, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_float_tiff_of_nan_or_inf_is_refused(tmp_path: Path, value: float) -> None:
    raw = np.full((20, 20), 0.5, np.float32)
    raw[3, 4] = value
    tifffile.imwrite(tmp_path / "t.tif", raw)
    with pytest.raises(KdError, match="NaN"):
        read_photo(tmp_path / "t.tif")


def test_a_float_tiff_of_another_scale_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "t.tif", np.full((20, 20), 200, np.float32))
    with pytest.raises(KdError, match="scale it"):
        read_photo(tmp_path / "t.tif")


def test_a_tiff_of_32_bit_integers_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "t.tif", np.zeros((20, 20), np.uint32))
    with pytest.raises(KdError, match="uint32"):
        read_photo(tmp_path / "t.tif")


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_refused(tmp_path: Path, suffix: str) -> None:
    Image.new("CMYK", (32, 32)).save(tmp_path / f"c{suffix}")
    with pytest.raises(KdError, match="convert it first"):
        read_photo(tmp_path / f"c{suffix}")


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A PNG header of 60,000 x 60,000 pixels over a few bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b"")]
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(KdError, match="scale it down"):
        read_photo(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_photo_beyond_the_limit_is_refused(
    photo_file, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = photo_file(f"large{suffix}")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 24 * 36 - 1)
    with pytest.raises(KdError, match="36x24"):
        read_photo(path)


def test_a_broken_exif_block_does_not_cost_the_photo(photo_file) -> None:
    path = photo_file("photo.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(8))
    assert read_photo(path).pixels.shape == (24, 36, 3)


@pytest.mark.parametrize("name", ["out.gif", "out", "out.jpg.txt"])
def test_an_unknown_output_format_is_a_usage_error(tmp_path: Path, name: str) -> None:
    photo = as_photo(pattern())
    with pytest.raises(UsageError, match="format"):
        write_photo(tmp_path / name, photo.pixels, like=photo)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_stays_unless_overwritten(photo_file) -> None:
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
