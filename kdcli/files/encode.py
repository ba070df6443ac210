"""From samples to the bytes of a photo file: JPEG, PNG, TIFF, WebP and BMP."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
"""The format that each output suffix stands for."""

DEEP = {"PNG", "TIFF"}
"""Formats that hold 16 bits a sample."""

TRANSPARENT = {"PNG", "TIFF", "WEBP"}
"""Formats that hold an alpha channel."""

_TIFF_STRIP_BYTES = 1 << 20


def encode(
    samples: NDArray[np.uint8] | NDArray[np.uint16],
    format: str,
    *,
    exif: bytes | None = None,
    icc: bytes | None = None,
    quality: int = 95,
) -> bytes:
    """The bytes of a photo file.

    Args:
        samples: (H, W, C), C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha). 16 bits only in `DEEP`
            formats, alpha only in `TRANSPARENT` ones.
        format: one of the values of `SUFFIXES`.
        exif: a block that starts with "Exif\\0\\0", its orientation being 1. BMP has no place for it.
        icc: a colour profile; nor for this.
        quality: of JPEG and WebP, 1 to 100.
    """
    if format == "TIFF":
        return _encode_tiff(samples, exif, icc)
    flat = samples[..., 0] if samples.shape[-1] == 1 else samples
    if samples.dtype == np.uint16:
        return _insert_png_chunks(bytes(imagecodecs.png_encode(flat)), exif, icc)
    metadata: dict[str, Any] = {} if format == "BMP" else {"exif": exif or b"", "icc_profile": icc}
    settings: dict[str, Any] = {"JPEG": {"quality": quality, "subsampling": 0}, "WEBP": {"quality": quality}}
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(file, format, **metadata, **settings.get(format, {}))
    return file.getvalue()


def _insert_png_chunks(png: bytes, exif: bytes | None, icc: bytes | None) -> bytes:
    """Profile and EXIF belong between the header chunk, which ends at byte 33, and the pixels."""
    chunks = b""
    if icc:
        chunks += _png_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    if exif:
        chunks += _png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    return png[:33] + chunks + png[33:]


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _encode_tiff(
    samples: NDArray[np.uint8] | NDArray[np.uint16], exif: bytes | None, icc: bytes | None
) -> bytes:
    """A deflated TIFF whose tag list is the photo's EXIF plus the layout of the pixels.

    An EXIF block *is* a TIFF without pixels. Writing it this way keeps the camera's and the GPS tags, which
    neither tifffile (no sub-lists of tags) nor Pillow (no 16-bit colour) can do for 16-bit photos.
    """
    height, width, channels = samples.shape
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    # Tags and pixels share one byte order, and the EXIF of many cameras is big-endian.
    if tags.endian is None:
        tags.endian = "<"
    ordered = samples.astype(samples.dtype.newbyteorder("<" if tags.endian == "<" else ">"), copy=False)
    rows = max(1, _TIFF_STRIP_BYTES // (width * channels * samples.itemsize))
    strips = [_deflate_rows(ordered[top : top + rows]) for top in range(0, height, rows)]

    tags[256], tags[257] = width, height
    tags[258] = (8 * samples.itemsize,) * channels
    tags[259] = 8  # compression: deflate
    tags[262] = 2 if channels >= 3 else 1  # RGB, or grey with black at 0
    tags[274] = 1  # orientation: upright
    tags[277] = channels
    tags[278] = rows
    # Pillow adds the place where the tags end to each of these.
    tags[273] = tuple(int(start) for start in np.cumsum([0, *map(len, strips[:-1])]))
    tags[279] = tuple(map(len, strips))
    tags[284] = 1  # channels interleaved
    tags[317] = 2  # predictor: differences along rows
    if channels in (2, 4):
        tags[338] = 2  # the extra channel is alpha, not multiplied in
    if icc:
        tags[34675] = icc
    return b"".join([tags.tobytes().removeprefix(b"Exif\0\0"), *strips])


def _deflate_rows(rows: NDArray[Any]) -> bytes:
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes())
