"""What is no photo, or more than memory holds, is refused in one line before it is unpacked."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from kdcli.errors import KdError, UsageError
from kdcli.files.photo import parse_photo, read_photo, write_photo
from tests.conftest import pattern
from tests.files.seeds import as_photo, saved, sixteen_bit, tiff

PhotoFile = Callable[..., Path]


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
def test_a_tiny_photo_is_refused(photo_file: PhotoFile, size: tuple[int, int]) -> None:
    path = photo_file("tiny.png", pattern(*size))
    with pytest.raises(KdError, match="too small") as caught:
        read_photo(path)
    assert_one_line(caught.value, path, 1)


def test_the_smallest_photo_is_read(photo_file: PhotoFile) -> None:
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


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that says it is so large, over a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def patched(data: bytes, at: int, layout: str, *values: int) -> bytes:
    """The file with other numbers in a place."""
    return data[:at] + struct.pack(layout, *values) + data[at + struct.calcsize(layout) :]


def bombs() -> dict[str, bytes]:
    """Small files that claim to be more than a gigapixel, or WebP's and AVIF's most."""
    jpeg, bmp, webp = (saved(pattern(), format) for format in ("JPEG", "BMP", "WEBP"))
    avif = saved(pattern(), "AVIF")
    with tifffile.TiffFile(io.BytesIO(plain := tiff(pattern(), photometric="rgb"))) as file:
        wide, high = (file.pages[0].tags[tag].valueoffset for tag in ("ImageWidth", "ImageLength"))
    return {
        "PNG": png(60_000, 60_000),
        "JPEG": patched(jpeg, jpeg.index(b"\xff\xc0") + 5, ">HH", 65_000, 65_000),
        "BMP": patched(bmp, 18, "<ii", 60_000, 60_000),
        "TIFF": patched(patched(plain, wide, "<I", 60_000), high, "<I", 60_000),
        "WEBP": patched(webp, webp.index(b"\x9d\x01*") + 3, "<HH", 16_383, 16_383),
        "AVIF": patched(avif, avif.index(b"ispe") + 8, ">II", 16_384, 16_384),
    }


@pytest.mark.parametrize("format", bombs())
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(format: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(KdError, match=r"photo: \d+x\d+ pixels, more than the 250 million .*--max-pixels"):
            parse_photo(bombs()[format], "photo")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def zeros(size: int) -> bytes:
    """So many zeros, deflated a thousandfold."""
    squeeze, piece = zlib.compressobj(9), bytes(1 << 20)
    return b"".join([squeeze.compress(piece) for _ in range(size >> 20)] + [squeeze.flush()])


def strip_bomb() -> bytes:
    """A small TIFF whose one strip unpacks to 256 MiB."""
    strip = zeros(256 << 20)
    made = tiff(pattern(channels=None), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(io.BytesIO(made)) as file:
        start, count = (file.pages[0].tags[tag].valueoffset for tag in ("StripOffsets", "StripByteCounts"))
        layout = {3: "<H", 4: "<I"}[file.pages[0].tags["StripByteCounts"].dtype]
    if layout == "<H":
        made = patched(made, count - 6, "<H", 4)
    return patched(patched(made, count, "<I", len(strip)), start, "<I", len(made)) + strip


@pytest.mark.parametrize(
    "data",
    [
        strip_bomb(),
        png(36, 24, (b"iCCP", b"p\0\0" + zeros(256 << 20))),
        png(36, 24, (b"zTXt", b"t\0\0" + zeros(256 << 20))),
        png(36, 24, (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(256 << 20))),
    ],
    ids=["TIFF strip", "PNG profile", "PNG text", "PNG XMP"],
)
def test_no_part_of_a_file_unpacks_to_more_than_the_photo(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(KdError, match="damaged"):
            parse_photo(data, "photo")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".avif", ".tif"])
def test_the_limit_is_the_callers(photo_file: PhotoFile, suffix: str) -> None:
    path = photo_file(f"large{suffix}")
    assert read_photo(path, 24 * 36).pixels.shape == (24, 36, 3)
    with pytest.raises(KdError, match=r"36x24 pixels, more than the 0.000863 million .* scale it down"):
        read_photo(path, 24 * 36 - 1)


def test_pillows_own_limit_is_left_alone(photo_file: PhotoFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_photo(photo_file("photo.png")).pixels.shape == (24, 36, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_broken_exif_block_does_not_cost_the_photo(photo_file: PhotoFile) -> None:
    path = photo_file("photo.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(8))
    assert read_photo(path).pixels.shape == (24, 36, 3)
