"""What a decoder makes of a file, and how much it may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kdcli.errors import KdError

MAX_PIXELS = 250_000_000
"""The largest photo that is opened unless told otherwise: more than any camera takes in one exposure.

A few bytes can claim to be more than any memory holds.
"""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a file holds, as stored: not yet turned upright.

    Attributes:
        samples: float32 (H, W, C) in [0, 1]; C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha).
        bits: 8 or 16, the depth that holds the samples without loss (16 for floating point).
        exif: the EXIF tags, maybe none.
        icc: the colour profile.
        xmp: the XMP packet.
        format: "JPEG", "PNG", "TIFF", "WEBP", "BMP", "AVIF" or "HEIF".
        quality: of a JPEG, 1 to 100, as far as its tables tell.
        notes: what was changed or left out on the way, to be read after the file's name.
    """

    samples: NDArray[np.float32]
    bits: int
    exif: Image.Exif
    icc: bytes | None
    xmp: bytes | None
    format: str
    quality: int | None = None
    notes: tuple[str, ...] = ()


MORE_PICTURES = "holds more than one picture: only the first is taken"


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a photo of more than `max_pixels`, before it is unpacked.

    Raises:
        KdError: it is.
    """
    if width * height > max_pixels:
        raise KdError(
            f"{width}x{height} pixels, more than the {max_pixels / 1e6:g} million that kd opens: "
            "scale it down or raise --max-pixels"
        )
