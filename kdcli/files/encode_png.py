"""Samples to PNG, of 8 or 16 bits."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import imagecodecs
from numpy.typing import NDArray

_HEADER_END = 33  # of the signature and the first chunk


def encode_png(samples: NDArray[Any], exif: bytes | None, icc: bytes | None, xmp: bytes | None) -> bytes:
    """A PNG of 8- or 16-bit samples (H, W) or (H, W, C), its metadata between its header and its pixels."""
    png = memoryview(imagecodecs.png_encode(samples))
    chunks = b""
    if icc:
        chunks += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    if exif:
        chunks += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    if xmp:
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    return b"".join([png[:_HEADER_END], chunks, png[_HEADER_END:]])


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
