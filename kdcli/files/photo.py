"""A photo as the rest of kd sees it, and the way from a file and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdcli.errors import KdError
from kdcli.files.atomic import write_atomically
from kdcli.files.decode import decode
from kdcli.files.decoded import MAX_PIXELS, Decoded
from kdcli.files.encode import DEEP, LONGEST_SIDE, SUFFIXES, TRANSPARENT, encode
from kdcli.files.metadata import orientation, upright_exif, upright_xmp
from kdcli.files.paths import check_input, check_output
from kdcli.files.place import Place
from kdcli.files.read_bytes import largest_file, read_bytes
from kdcli.files.samples import to_integers, turn_upright

MIN_SIDE = 16
"""Below this many pixels a side nothing can be told about a blur."""

QUALITY = 95
"""Of JPEG and WebP, where neither the user nor the photo's own file says."""

_JPEG_SEGMENT = 65533
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo and what must survive its editing.

    Attributes:
        pixels: float32 (H, W) for grey or (H, W, 3) for RGB, in [0, 1], as encoded (no linear light).
        alpha: float32 (H, W) in [0, 1], or None.
        bits: 8 or 16 a sample, as the file had them.
        exif: the EXIF block, its orientation 1 and its thumbnail left out, or None.
        icc: the colour profile, or None.
        xmp: the XMP packet, its orientation 1, or None.
        format: the file's format: "JPEG", "PNG", "TIFF", "WEBP", "BMP", "AVIF" or "HEIF".
        quality: of a JPEG, 1 to 100, or None.
        notes: what of the file is not in here, or no longer as it was, one line each.
    """

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None = None
    bits: int = 8
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    format: str = "PNG"
    quality: int | None = None
    notes: tuple[str, ...] = ()


def load(path: Place, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The decoded file at `path`.

    Raises:
        UsageError: no such file, a folder, a pipe or a device.
        KdError: not readable as a photo; the message starts with the path.
    """
    check_input(path)
    return _decode(read_bytes(path, largest_file(max_pixels)), str(path), max_pixels)


def read_photo(path: Place, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo and turn it upright.

    Raises:
        UsageError: no such file, a folder, a pipe or a device.
        KdError: not a photo, damaged, too large, too small, raw, NaN.
    """
    return _upright_photo(load(path, max_pixels), str(path))


def parse_photo(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Photo:
    """The photo in the bytes of a file; `name` is what messages call it. Errors as for `read_photo`."""
    return _upright_photo(_decode(data, name, max_pixels), name)


def _decode(data: bytes, name: str, max_pixels: int) -> Decoded:
    try:
        return decode(data, max_pixels)
    except KdError as error:
        raise KdError(f"{name}: {error}") from error


def _upright_photo(decoded: Decoded, name: str) -> Photo:
    height, width, channels = decoded.samples.shape
    if min(height, width) < MIN_SIDE:
        raise KdError(f"{name}: {width}x{height} pixels is too small: kd needs {MIN_SIDE} a side")
    samples = turn_upright(decoded.samples, orientation(decoded.exif, decoded.xmp))
    height, width = samples.shape[:2]
    exif, notes = upright_exif(decoded.exif, width, height), decoded.notes
    if decoded.exif and exif is None:
        notes += ("has damaged EXIF: left out",)
    colours = 3 if channels >= 3 else 1
    return Photo(
        pixels=np.ascontiguousarray(samples[..., :3] if colours == 3 else samples[..., 0]),
        alpha=np.ascontiguousarray(samples[..., -1]) if channels > colours else None,
        bits=decoded.bits,
        exif=exif,
        icc=decoded.icc,
        xmp=upright_xmp(decoded.xmp),
        format=decoded.format,
        quality=decoded.quality,
        notes=tuple(f"{Path(name).name} {note}" for note in notes),
    )


def read_colour(path: Place) -> NDArray[np.float32]:
    """A photo's pixels (H, W, 3) float32 in [0, 1]; a grey one has three equal channels.

    Raises:
        UsageError, KdError: see ``read_photo``.
    """
    pixels = read_photo(path).pixels
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)


def write_photo(
    path: Place, pixels: NDArray[Any], *, like: Photo, quality: int | None = None, overwrite: bool = False
) -> list[str]:
    """Write `pixels` in the format that the suffix of `path` names, with what else `like` carries.

    Args:
        path: the file to write, whole or not at all.
        pixels: (H, W) or (H, W, 3), in [0, 1] (clipped to it).
        like: gives bit depth, alpha, EXIF, ICC profile and XMP.
        quality: of JPEG and WebP, 1 to 100; None is that of `like` from JPEG to JPEG, and else `QUALITY`.
        overwrite: whether an existing file may be replaced.

    Returns:
        What the format could not hold, one line each.

    Raises:
        UsageError: unknown suffix, missing folder, or a file in the way.
        KdError: the photo does not fit the format, or the system refused.
    """
    check_output(path, SUFFIXES, overwrite=overwrite)
    data, lost = encode_photo(
        pixels, SUFFIXES[path.suffix.lower()], like=like, quality=quality, name=path.name
    )
    write_atomically(path, data, overwrite=overwrite)
    return lost


def check_fits(pixels: NDArray[Any], format: str, name: str) -> None:
    """Make sure that a format can hold a photo of (H, W) or (H, W, 3) pixels.

    Raises:
        KdError: it has too many a side.
    """
    height, width = pixels.shape[:2]
    longest = LONGEST_SIDE.get(format)
    if longest is not None and max(height, width) > longest:
        raise KdError(
            f"{name}: {width}x{height} pixels do not fit {format}, at most {longest} a side: try .png"
        )


def encode_photo(
    pixels: NDArray[Any], format: str, *, like: Photo, quality: int | None = None, name: str
) -> tuple[bytes, list[str]]:
    """The bytes of a photo file, and what its format could not hold, one line each.

    Args:
        format: one of the values of `SUFFIXES`.
        name: what messages call the file.
        pixels, like, quality: as for `write_photo`.

    Raises:
        KdError: the photo does not fit the format.
    """
    check_fits(pixels, format, name)
    if not np.isfinite([pixels.min(), pixels.max()]).all():
        raise KdError(f"{name} was not written: the result holds NaN or infinite pixels")
    exif, icc, xmp, bits, alpha = like.exif, like.icc, like.xmp, like.bits, like.alpha
    lost = []
    if bits > 8 and format not in DEEP:
        lost.append(f"{name} has 8 bits where the photo has {bits}: write a .png or .tif to keep them")
        bits = 8
    if alpha is not None and format not in TRANSPARENT:
        lost.append(f"{name} has no transparency: write a .png, .tif or .webp to keep it")
        alpha = None
    if format == "BMP" and (exif or icc or xmp):
        lost.append(f"{name} has no room for EXIF, XMP and colour profile: write a .png or .tif to keep them")
        exif = icc = xmp = None
    if format == "JPEG" and exif and len(exif) > _JPEG_SEGMENT:
        lost.append(f"{name} has no room for this photo's EXIF: write a .png or .tif to keep it")
        exif = None
    if format == "JPEG" and xmp and len(_XMP_NAME + xmp) > _JPEG_SEGMENT:
        lost.append(f"{name} has no room for this photo's XMP: write a .png or .tif to keep it")
        xmp = None
    stored_grey = pixels.ndim == 2 and format != "WEBP"  # WebP stores grey as RGB
    if icc and icc[16:20] != (b"GRAY" if stored_grey else b"RGB "):
        # Viewers refuse a profile for another kind of pixel, or garble the colours.
        lost.append(f"{name} has no colour profile: the photo's is for other pixels than {format} has here")
        icc = None
    if quality is None:
        quality = like.quality if format == "JPEG" and like.quality else QUALITY

    stored = to_integers(pixels, alpha, bits)
    try:
        data = encode(stored, format, exif=exif, icc=icc, xmp=xmp, quality=quality)
    except (OSError, ValueError, RuntimeError) as error:
        height, width = stored.shape[:2]
        raise KdError(f"{name}: {width}x{height} pixels do not fit {format} ({error}): try .png") from error
    return data, lost
