"""EXIF and XMP of a photo that was turned upright: its orientation must be undone once, and not twice."""

from __future__ import annotations

import re
import warnings
from collections.abc import MutableMapping
from typing import Any

from PIL import ExifTags, Image

_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>)\s*)([1-8])(?![0-9])""")


def orientation(exif: Image.Exif, xmp: bytes | None) -> int:
    """How the camera was held, 1 to 8: EXIF's answer, or else XMP's."""
    if ExifTags.Base.Orientation in exif:
        try:
            told = exif[ExifTags.Base.Orientation]
        except Exception:  # a damaged tag, of which Pillow makes what it will
            return 1
        return told if isinstance(told, int) and 1 <= told <= 8 else 1
    found = _XMP_ORIENTATION.search(xmp or b"")
    return int(found[2]) if found else 1


def upright_exif(exif: Image.Exif, width: int, height: int) -> bytes | None:
    """The EXIF block of the upright photo: orientation 1, its own size, no thumbnail; None if there is none.

    A thumbnail would show the blurred photo still.
    """
    if not exif:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if ExifTags.Base.Orientation in exif:
                exif[ExifTags.Base.Orientation] = 1
            camera = exif.get_ifd(ExifTags.IFD.Exif)
            _set_size(exif, ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength, width, height)
            _set_size(camera, ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight, width, height)
            return exif.tobytes()
        # Tags may hold values that are not of the type they claim; such a block is not worth a failed photo.
        except Exception:
            return None


def _set_size(tags: MutableMapping[int, Any], across: int, down: int, width: int, height: int) -> None:
    for tag, size in ((across, width), (down, height)):
        if tag in tags:
            tags[tag] = size


def upright_xmp(xmp: bytes | None) -> bytes | None:
    """The XMP packet of the upright photo; None if there is none."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if xmp else None
