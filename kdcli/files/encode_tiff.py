"""Samples to TIFF, with the camera's tags."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIP_BYTES = 1 << 20
_MOST_BYTES = 2**32 - 2**20  # places in a TIFF are 32-bit numbers


def encode_tiff(
    samples: NDArray[np.uint8] | NDArray[np.uint16],
    exif: bytes | None,
    icc: bytes | None,
    xmp: bytes | None,
) -> bytes:
    """A deflated TIFF whose tag list is the photo's EXIF plus the layout of the pixels.

    An EXIF block *is* a TIFF without pixels. Writing it this way keeps the camera's and the GPS tags, which
    neither tifffile (no sub-lists of tags) nor Pillow (no 16-bit colour) can do for 16-bit photos.

    Raises:
        ValueError: more than a TIFF's 4 GiB.
    """
    height, width, channels = samples.shape
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    # Tags and pixels share one byte order, and the EXIF of many cameras is big-endian.
    if tags.endian is None:
        tags.endian = "<"
    ordered = samples.astype(samples.dtype.newbyteorder("<" if tags.endian == "<" else ">"), copy=False)
    rows = max(1, _STRIP_BYTES // (width * channels * samples.itemsize))
    strips = [_deflate_rows(ordered[top : top + rows]) for top in range(0, height, rows)]
    if sum(map(len, strips)) > _MOST_BYTES:
        raise ValueError("more than 4 GiB")

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
    if xmp:
        tags[700] = xmp
    return b"".join([tags.tobytes().removeprefix(b"Exif\0\0"), *strips])


def _deflate_rows(rows: NDArray[Any]) -> bytes:
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes())
