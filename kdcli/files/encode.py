"""From samples to the bytes of a photo file: JPEG, PNG, TIFF, WebP and BMP."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kdcli.files.encode_png import encode_png
from kdcli.files.encode_tiff import encode_tiff

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

LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
"""The most pixels a side of formats that have so narrow a limit."""


def encode(
    samples: NDArray[np.uint8] | NDArray[np.uint16],
    format: str,
    *,
    exif: bytes | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    quality: int = 95,
) -> bytes:
    """The bytes of a photo file.

    Args:
        samples: (H, W, C), C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha). 16 bits only in `DEEP`
            formats, alpha only in `TRANSPARENT` ones.
        format: one of the values of `SUFFIXES`.
        exif: a block that starts with "Exif\\0\\0", its orientation being 1. BMP has no place for it.
        icc, xmp: a colour profile and an XMP packet; nor for these.
        quality: of JPEG and WebP, 1 to 100.
    """
    if format == "TIFF":
        return encode_tiff(samples, exif, icc, xmp)
    flat = np.ascontiguousarray(samples[..., 0] if samples.shape[-1] == 1 else samples)
    if format == "PNG":
        return encode_png(flat, exif, icc, xmp)
    settings: dict[str, Any] = {}
    if format in ("JPEG", "WEBP"):
        settings = {"quality": quality, "exif": exif or b"", "icc_profile": icc, "xmp": xmp or b""}
    if format == "JPEG":
        settings["subsampling"] = 0
    file = io.BytesIO()
    Image.fromarray(flat).save(file, format, **settings)
    return file.getvalue()
