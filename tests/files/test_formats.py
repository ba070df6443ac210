"""Every kind of file that kd reads, and a note where not all of it comes through."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, features

from kdcli.errors import KdError
from kdcli.files.photo import parse_photo, read_photo, write_photo
from tests.conftest import pattern
from tests.files.seeds import cmyk_profile, has_heif, saved, seeds, sixteen_bit, tiff


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


@pytest.mark.parametrize("name", seeds())
def test_every_kind_is_read_and_written(tmp_path: Path, name: str) -> None:
    photo = parse_photo(seeds()[name], name)
    assert sorted(photo.pixels.shape[:2]) == [24, 36]
    for suffix in (".jpg", ".png", ".tif", ".webp", ".bmp"):
        write_photo(tmp_path / f"out{suffix}", photo.pixels, like=photo)
        assert read_photo(tmp_path / f"out{suffix}").pixels.shape[:2] == photo.pixels.shape[:2]


NOTES = {
    "jpeg-cmyk": "is in CMYK: written in sRGB, converted by its colour profile",
    "tiff-cmyk": "is in CMYK without a colour profile",
    "jpeg-several": "holds more than one picture: only the first",
    "png-animated": "holds more than one picture: only the first",
    "webp-animated": "holds more than one picture: only the first",
    "tiff-pages": "holds more than one picture: only the first",
    "png-palette": "has a palette: written in full colour",
    "tiff-palette": "has a palette: written in full colour",
    "png-1-bit": "has 1 bit a pixel",
    "tiff-1-bit": "has 1 bit a pixel",
    "tiff-float": "has floating-point samples: written with 16 bits",
    "tiff-half": "has floating-point samples: written with 16 bits",
    "avif-10-bit": "has 10 bits a sample: read with 8",
}


@pytest.mark.parametrize("name", seeds())
def test_what_does_not_come_through_is_noted(name: str) -> None:
    notes = parse_photo(seeds()[name], f"some/folder/{name}").notes
    expected = [f"{name} {NOTES[name]}"] if name in NOTES else []
    assert [note[: len(said)] for note, said in zip(notes, expected, strict=True)] == expected


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_the_first_of_several_pictures_is_taken(format: str) -> None:
    first, second = Image.fromarray(pattern()), Image.fromarray(255 - pattern())
    settings = {"lossless": True} if format == "WEBP" else {"quality": 100} if format == "AVIF" else {}
    photo = parse_photo(saved(first, format, save_all=True, append_images=[second], **settings), "photo")
    assert np.abs(photo.pixels * 255 - pattern()).mean() < 3
    assert len(photo.notes) == 1


@pytest.mark.parametrize(("second", "notes"), [(1, 0), (4, 0), (0, 1)])
def test_previews_and_masks_are_no_further_pictures(second: int, notes: int) -> None:
    """The kinds of page that TIFF knows: 1 a preview, 4 a mask, 0 a picture."""
    made = io.BytesIO()
    with tifffile.TiffWriter(made) as file:
        file.write(pattern(), photometric="rgb")
        page = pattern(channels=None)
        file.write(page > 99 if second == 4 else page, photometric="minisblack", subfiletype=second)
    assert len(parse_photo(made.getvalue(), "photo").notes) == notes


def test_a_raw_files_preview_is_not_taken_for_the_photo() -> None:
    with pytest.raises(KdError, match="develop it first"):
        parse_photo(tiff(pattern(), photometric="rgb", subfiletype=1), "photo")


def test_cmyk_is_converted_by_its_profile() -> None:
    """A printer whose one ink is grey, whatever its name: half as light where one is at its full strength."""
    ink = np.zeros((20, 20, 4), np.uint8)
    ink[:, 10:, 0] = 255
    image = Image.fromarray(ink, "CMYK")
    for format in ("TIFF", "JPEG"):
        settings = {"quality": 100} if format == "JPEG" else {}
        with_profile = parse_photo(saved(image, format, icc_profile=cmyk_profile(), **settings), "photo")
        np.testing.assert_allclose(with_profile.pixels[5, 5], 1, atol=0.02)
        np.testing.assert_allclose(with_profile.pixels[5, 15], 119 / 255, atol=0.02)  # L* = 50
        assert with_profile.icc is None  # the pixels are no longer the printer's
        without = parse_photo(saved(image, format, **settings), "photo")
        np.testing.assert_allclose(without.pixels[5, 15], [0, 1, 1], atol=0.02)


def test_a_damaged_profile_of_cmyk_is_as_none() -> None:
    image = Image.new("CMYK", (20, 20))
    photo = parse_photo(saved(image, "JPEG", icc_profile=cmyk_profile()[:100]), "photo")
    assert photo.notes[0].startswith("photo is in CMYK without a colour profile")
    np.testing.assert_allclose(photo.pixels, 1, atol=0.02)


def test_cmyk_of_16_bits_is_refused() -> None:
    with pytest.raises(KdError, match="CMYK of 8 bits"):
        parse_photo(tiff(sixteen_bit(4), photometric="separated"), "photo")


@pytest.mark.parametrize("settings", [{"progressive": True}, {"subsampling": 2}, {"optimize": True}])
@pytest.mark.parametrize("channels", [None, 3])
def test_jpegs_of_all_kinds(settings: dict[str, object], channels: int | None) -> None:
    pixels = pattern(64, 96, channels)
    photo = parse_photo(saved(pixels, "JPEG", quality=95, **settings), "photo")
    assert photo.pixels.shape == pixels.shape
    assert np.abs(photo.pixels * 255 - pixels).mean() < 3


def test_a_grey_jpeg_stays_grey(tmp_path: Path) -> None:
    photo = parse_photo(saved(pattern(channels=None), "JPEG"), "photo")
    write_photo(tmp_path / "out.jpg", photo.pixels, like=photo)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.mode == "L"


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    stored = Image.fromarray(pattern(channels=None)).convert("1")
    for data in (saved(stored, "PNG"), saved(stored, "TIFF", compression="packbits")):
        np.testing.assert_array_equal(parse_photo(data, "photo").pixels, np.asarray(stored))


@pytest.mark.skipif(4 not in tifffile.TIFF.DECOMPRESSORS, reason="an imagecodecs that knows no fax")
def test_a_fax_is_black_and_white() -> None:
    stored = Image.fromarray(pattern(channels=None)).convert("1")
    data = saved(stored, "TIFF", compression="group4")
    np.testing.assert_array_equal(parse_photo(data, "photo").pixels, np.asarray(stored))


def test_a_compression_that_cannot_be_unpacked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", {})
    data = saved(Image.fromarray(pattern(channels=None)).convert("1"), "TIFF", compression="group4")
    with pytest.raises(KdError, match=r"photo: a TIFF packed by CCITT.*: pip install --upgrade tifffile"):
        parse_photo(data, "photo")


@pytest.mark.parametrize(
    ("channels", "extra", "alpha", "left_out"),
    [
        (4, None, True, False),
        (4, ["unspecified"], False, True),
        (5, ["unassalpha", "unspecified"], True, True),
    ],
)
def test_tiff_with_further_channels(
    tmp_path: Path, channels: int, extra: list[str] | None, alpha: bool, left_out: bool
) -> None:
    raw = np.concatenate([pattern(), pattern()[..., :2]], axis=-1)[..., :channels]
    tifffile.imwrite(tmp_path / "t.tif", raw, photometric="rgb", extrasamples=extra, planarconfig="contig")
    if extra is None:  # which tifffile does not leave out by itself
        data = (tmp_path / "t.tif").read_bytes()
        tag = struct.pack("<HHI", 338, 3, 1)
        assert data.count(tag) == 1
        (tmp_path / "t.tif").write_bytes(data.replace(tag, struct.pack("<HHI", 65_000, 3, 1)))
    photo = read_photo(tmp_path / "t.tif")
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), raw[..., :3])
    assert (photo.alpha is not None) == alpha
    assert any("further channels" in note for note in photo.notes) == left_out


def test_a_png_with_a_large_profile_is_read(tmp_path: Path) -> None:
    pattern_image = Image.fromarray(pattern())
    pattern_image.save(tmp_path / "p.png", icc_profile=bytes(3 << 20))
    photo = read_photo(tmp_path / "p.png")
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), pattern())


def test_iptc_captions_are_missed_aloud(tmp_path: Path) -> None:
    Image.fromarray(pattern()).save(tmp_path / "p.jpg")
    data = (tmp_path / "p.jpg").read_bytes()
    resource = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHI", 0x0404, 0, 4) + b"\x1c\x02\x05\x00"
    segment = b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource
    (tmp_path / "p.jpg").write_bytes(data[:2] + segment + data[2:])
    assert any("IPTC" in note for note in read_photo(tmp_path / "p.jpg").notes)


def test_avif_comes_close_and_keeps_its_alpha() -> None:
    photo = parse_photo(saved(pattern(64, 96, 4), "AVIF", quality=95), "photo")
    assert photo.format == "AVIF"
    assert photo.alpha is not None
    assert np.abs(photo.pixels * 255 - pattern(64, 96)).mean() < 4
    assert np.abs(photo.alpha * 255 - pattern(64, 96, 4)[..., 3]).mean() < 4


@pytest.mark.skipif(not has_heif, reason="no pillow-heif")
def test_heic_comes_close_and_keeps_its_alpha() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    photo = parse_photo(saved(pattern(64, 96, 4), "HEIF", quality=95), "photo")
    assert photo.format == "HEIF"
    assert photo.alpha is not None
    assert np.abs(photo.pixels * 255 - pattern(64, 96)).mean() < 4
    assert np.abs(photo.alpha * 255 - pattern(64, 96, 4)[..., 3]).mean() < 4


def container(brand: bytes) -> bytes:
    """The first bytes of a file of the family of HEIC, AVIF, MP4, ..."""
    return b"\0\0\0\x14ftyp" + brand + b"\0\0\0\0" + brand + bytes(64)


def test_heic_without_its_plugin_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for brand in (b"heic", b"mif1"):
        with pytest.raises(
            KdError, match=r"photo: a HEIC photo, which needs a plug-in: pip install pillow-heif"
        ):
            parse_photo(container(brand), "photo")


def test_avif_without_support_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(KdError, match="pip install --upgrade pillow"):
        parse_photo(container(b"avif"), "photo")


@pytest.mark.parametrize("data", [container(b"qt  "), container(b"crx "), b"RIFF\0\0\0\0AVI " + bytes(64)])
def test_a_film_or_a_raw_file_is_no_photo(data: bytes) -> None:
    with pytest.raises(KdError, match="not a photo"):
        parse_photo(data, "photo")


def test_a_tiff_of_many_channels_is_refused() -> None:
    with pytest.raises(KdError, match="12 channels"):
        parse_photo(
            tiff(np.zeros((20, 20, 12), np.uint8), photometric="minisblack", planarconfig="contig"), "photo"
        )


def test_decoders_print_nothing_about_damage() -> None:
    """libpng has an opinion on the profile, which would come out on stderr."""
    code = """
import numpy as np
from kdcli.files.encode_png import encode_png
from kdcli.files.photo import parse_photo
data = encode_png(np.zeros((20, 24, 3), np.uint16), None, b"no profile at all", None)
assert parse_photo(data, "photo").bits == 16
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
