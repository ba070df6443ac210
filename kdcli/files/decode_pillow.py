"""JPEG, PNG, WebP, BMP, AVIF and HEIC to samples, by Pillow; 16-bit PNG by libpng itself."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, features

from kdcli.errors import KdError
from kdcli.files.cmyk import cmyk_to_srgb
from kdcli.files.decoded import MORE_PICTURES, Decoded, check_size
from kdcli.files.jpeg_quality import jpeg_quality
from kdcli.files.samples import to_unit

_MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
}
"""What the modes that Pillow may find in a file are taken for."""

_LARGEST_CHUNK = 4 << 20  # bytes that one chunk of a PNG may unpack to: four times of what Pillow lets it
_IPTC = 0x0404  # the resource of Photoshop's that holds captions

_opening = threading.Lock()


def decode_pillow(data: bytes, kind: str, max_pixels: int) -> Decoded:
    """Read a photo from the bytes of a file; of several frames, the first.

    Args:
        kind: "JPEG", "PNG", "WEBP", "BMP", "AVIF" or "HEIF".

    Raises:
        KdError: too large, no plug-in for the format, or colours that kd does not take.
        Exception: whatever a damaged file drives the decoder into.
    """
    _check_plugin(kind)
    with _without_limits():
        image: Image.Image = Image.open(io.BytesIO(data), formats=[kind])
        check_size(*image.size, max_pixels)
        image.load()
    exif = image.getexif()
    notes = [MORE_PICTURES] if getattr(image, "n_frames", 1) > 1 else []
    if _IPTC in (image.info.get("photoshop") or ()):
        notes.append("has IPTC captions, which are not kept")
    icc = image.info.get("icc_profile")
    quality = None
    if kind == "JPEG":
        tables = getattr(image, "quantization", {})
        quality = jpeg_quality(tables[min(tables)]) if tables else None
    xmp = image.info.get("xmp")
    deep = kind == "PNG" and data[24] == 16
    if deep:
        # Pillow has no colour mode of 16 bits: it would drop the lower eight.
        samples = to_unit(imagecodecs.png_decode(data), 65535)
    else:
        if image.mode == "CMYK":
            image, note = cmyk_to_srgb(image, icc)
            icc = None
            notes.append(note)
        notes += _depth_notes(image.mode, data if kind in ("AVIF", "HEIF") else b"")
        samples = to_unit(_eight_bit(image), 255)
    return Decoded(
        samples=samples,
        bits=16 if deep else 8,
        exif=exif,
        icc=icc,
        xmp=xmp if isinstance(xmp, bytes) else None,
        format=kind,
        quality=quality,
        notes=tuple(notes),
    )


def _check_plugin(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        raise KdError("an AVIF photo, which this Pillow cannot read: pip install --upgrade pillow")
    if kind == "HEIF":
        try:
            import pillow_heif
        except ImportError as error:
            raise KdError("a HEIC photo, which needs a plug-in: pip install pillow-heif") from error
        pillow_heif.register_heif_opener()


@contextmanager
def _without_limits() -> Iterator[None]:
    """Inside, Pillow does not refuse large photos, nor large profiles and texts of a PNG, which kd writes.

    Its limits are those of the whole process; that on a photo's size is not the one that the user can set.
    """
    with _opening:
        pixels, chunk = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = None, _LARGEST_CHUNK
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = pixels, chunk


def _depth_notes(mode: str, heif: bytes) -> list[str]:
    """What happens to unusual depths; the bytes are those of an AVIF or HEIC, where Pillow does not tell."""
    if mode == "1":
        return ["has 1 bit a pixel: written as 8-bit grey"]
    if mode in ("P", "PA"):
        return ["has a palette: written in full colour"]
    pixel_information = heif.find(b"pixi")  # a box: name, version and flags, channels, bits of each
    bits = heif[pixel_information + 9] if 0 <= pixel_information < len(heif) - 9 else 8
    return [f"has {bits} bits a sample: read with 8"] if 8 < bits <= 16 else []


def _eight_bit(image: Image.Image) -> NDArray[np.uint8]:
    mode = _MODES.get(image.mode)
    if mode is None:
        raise KdError(f"a photo in {image.mode}: kd takes grey and RGB, so convert it first")
    if image.has_transparency_data:
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    return np.asarray(image if image.mode == mode else image.convert(mode))
