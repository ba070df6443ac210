"""A photo as the rest of kd sees it, and the way from a file and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from kdcli.errors import KdError
from kdcli.files.atomic import write_atomically
from kdcli.files.decode import Decoded, decode
from kdcli.files.encode import DEEP, SUFFIXES, TRANSPARENT, encode
from kdcli.files.paths import check_input, check_output

MIN_SIDE = 16
"""Below this many pixels a side nothing can be told about a blur."""

_JPEG_SEGMENT = 65533 - len(b"Exif\0\0")


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo and what must survive its editing.

    Attributes:
        pixels: float32 (H, W) for grey or (H, W, 3) for RGB, in [0, 1], as encoded (no linear light).
        alpha: float32 (H, W) in [0, 1], or None.
        bits: 8 or 16 a sample, as the file had them.
        exif: the EXIF block, its orientation 1 and its thumbnail left out, or None.
        icc: the colour profile, or None.
        format: the file's format: "JPEG", "PNG", "TIFF", "WEBP" or "BMP".
    """

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None = None
    bits: int = 8
    exif: bytes | None = None
    icc: bytes | None = None
    format: str = "PNG"


def load(path: Path) -> Decoded:
    """The decoded file at `path`.

    Raises:
        UsageError: no such file, or a folder.
        KdError: not readable as a photo; the message starts with the path.
    """
    check_input(path)
    try:
        return decode(path.read_bytes())
    except KdError as error:
        raise KdError(f"{path}: {error}") from error
    except OSError as error:
        raise KdError(f"cannot read {path}: {error.strerror or error}: copy it again") from error


def read_photo(path: Path) -> Photo:
    """Read a photo and turn it upright.

    Raises:
        UsageError: no such file, or a folder.
        KdError: not a photo, damaged, too large, too small, CMYK, NaN.
    """
    decoded = load(path)
    height, width, channels = decoded.samples.shape
    if min(height, width) < MIN_SIDE:
        raise KdError(f"{path}: {width}x{height} pixels is too small: kd needs {MIN_SIDE} a side")
    samples = _turn_upright(decoded.samples, decoded.exif.get(ExifTags.Base.Orientation, 1))
    colours = 3 if channels >= 3 else 1
    return Photo(
        pixels=np.ascontiguousarray(samples[..., :3] if colours == 3 else samples[..., 0]),
        alpha=np.ascontiguousarray(samples[..., -1]) if channels > colours else None,
        bits=decoded.bits,
        exif=_exif_block(decoded.exif),
        icc=decoded.icc,
        format=decoded.format,
    )


def write_photo(
    path: Path, pixels: NDArray[Any], *, like: Photo, quality: int = 95, overwrite: bool = False
) -> list[str]:
    """Write `pixels` in the format that the suffix of `path` names, with what else `like` carries.

    Args:
        path: the file to write, whole or not at all.
        pixels: (H, W) or (H, W, 3), in [0, 1] (clipped to it).
        like: gives bit depth, alpha, EXIF and ICC profile.
        quality: of JPEG and WebP, 1 to 100.
        overwrite: whether an existing file may be replaced.

    Returns:
        What the format could not hold, one line each.

    Raises:
        UsageError: unknown suffix, missing folder, or a file in the way.
        KdError: the photo does not fit the format, or the system refused.
    """
    check_output(path, SUFFIXES, overwrite=overwrite)
    if not np.isfinite(pixels).all():
        raise KdError(f"{path} was not written: the result holds NaN or infinite pixels")
    format = SUFFIXES[path.suffix.lower()]
    exif, icc, bits, alpha = like.exif, like.icc, like.bits, like.alpha
    lost = []
    if bits > 8 and format not in DEEP:
        lost.append(f"{path.name} has 8 bits where the photo has {bits}: write a .png or .tif to keep them")
        bits = 8
    if alpha is not None and format not in TRANSPARENT:
        lost.append(f"{path.name} has no transparency: write a .png, .tif or .webp to keep it")
        alpha = None
    if format == "BMP" and (exif or icc):
        lost.append(f"{path.name} has no room for EXIF and colour profile: write another format to keep them")
        exif = icc = None
    if format == "JPEG" and exif and len(exif) > _JPEG_SEGMENT:
        lost.append(f"{path.name} has no room for this photo's EXIF: write a .png or .tif to keep it")
        exif = None
    stored_grey = pixels.ndim == 2 and format != "WEBP"  # WebP stores grey as RGB
    if icc and icc[16:20] != (b"GRAY" if stored_grey else b"RGB "):
        icc = None  # viewers refuse a profile for another kind of pixel, or garble the colours

    samples = pixels if pixels.ndim == 3 else pixels[..., None]
    if alpha is not None:
        samples = np.concatenate([samples, alpha[..., None]], axis=-1)
    top = 2**bits - 1
    stored = np.rint(np.clip(samples, 0, 1) * top).astype(np.uint16 if bits == 16 else np.uint8)
    try:
        data = encode(stored, format, exif=exif, icc=icc, quality=quality)
    except (OSError, ValueError, RuntimeError) as error:
        height, width = stored.shape[:2]
        raise KdError(f"{path}: {width}x{height} pixels do not fit {format} ({error}): try .png") from error
    write_atomically(path, data, overwrite=overwrite)
    return lost


def _turn_upright(samples: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Undo the EXIF orientation (1 to 8) of samples (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _exif_block(exif: Image.Exif) -> bytes | None:
    if not exif:
        return None
    exif[ExifTags.Base.Orientation] = 1
    try:
        return exif.tobytes()
    # Tags may hold values that are not of the type they claim; such a block is not worth a failed photo.
    except Exception:
        return None
