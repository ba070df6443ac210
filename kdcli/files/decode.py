"""From the bytes of a photo to its samples: JPEG, PNG, TIFF, WebP and BMP."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from kdcli.errors import KdError

MAX_PIXELS = 150_000_000
"""The largest photo that is opened; a few bytes can claim to be more than any memory holds."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"RIFF", "WEBP"),
    (b"BM", "BMP"),
)

_PILLOW_MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
}

# A TIFF keeps what it says about the photo and how its own pixels are laid out in one list of tags: only
# the first kind belongs in the next file.
_TIFF_TAGS_KEPT = {
    ExifTags.Base.DocumentName,
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Orientation,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright,
    ExifTags.Base.Rating,
    ExifTags.IFD.Exif,
    ExifTags.IFD.GPSInfo,
}


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a file holds, as stored: not yet turned upright.

    Attributes:
        samples: float32 (H, W, C) in [0, 1]; C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha).
        bits: 8 or 16, the depth that holds the samples without loss (16 for floating point).
        exif: the EXIF tags, maybe none.
        icc: the colour profile.
        format: "JPEG", "PNG", "TIFF", "WEBP" or "BMP".
    """

    samples: NDArray[np.float32]
    bits: int
    exif: Image.Exif
    icc: bytes | None
    format: str


def decode(data: bytes) -> Decoded:
    """Read a photo from the bytes of its file; of several pages or frames, the first.

    Raises:
        KdError: no known format, damaged, too large, or of a kind that cannot be deblurred (CMYK, NaN, ...).
    """
    kind = next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), None)
    if kind is None:
        raise KdError("not a photo that kd can read: use JPEG, PNG, TIFF, WebP or BMP")
    try:
        return _decode_tiff(data) if kind == "TIFF" else _decode_with_pillow(data)
    except (KdError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise KdError(_too_large()) from error
    except UnidentifiedImageError as error:  # whose own text names a buffer in memory
        raise KdError(f"damaged, or no {kind} after all: get it again") from error
    # The decoders let out whatever a damaged file drives them into: struct, index, zlib, run-time errors.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise KdError(f"damaged or cut off, or no {kind} after all ({reason}): get it again") from error


def _decode_with_pillow(data: bytes) -> Decoded:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP", "BMP"])
        _check_size(*image.size)
        image.load()
        exif = image.getexif()
    deep = data.startswith(b"\x89PNG") and data[24] == 16
    return Decoded(
        # Pillow has no colour mode of 16 bits: it would drop the lower eight.
        samples=_unit(imagecodecs.png_decode(data), 65535) if deep else _unit(_eight_bit(image), 255),
        bits=16 if deep else 8,
        exif=exif,
        icc=image.info.get("icc_profile"),
        format="JPEG" if image.format == "MPO" else str(image.format),
    )


def _eight_bit(image: Image.Image) -> NDArray[np.uint8]:
    mode = _PILLOW_MODES.get(image.mode)
    if mode is None:
        raise KdError(f"a photo in {image.mode}: kd takes grey and RGB, so convert it first")
    if image.has_transparency_data:
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _decode_tiff(data: bytes) -> Decoded:
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages[0]
        _check_size(page.imagewidth, page.imagelength)
        _check_all_there(page, len(data))
        samples, bits = _tiff_samples(page)
        icc = page.iccprofile
    exif = Image.Exif()
    try:
        exif.load(data)
        for tag in set(exif) - _TIFF_TAGS_KEPT:
            del exif[tag]
    except (SyntaxError, ValueError, KeyError, struct.error):  # the pixels are worth more than the tags
        exif = Image.Exif()
    return Decoded(samples, bits, exif, icc, "TIFF")


def _check_all_there(page: Any, size: int) -> None:
    """tifffile fills what a cut-off file lacks with black; a user would rather know."""
    if any(start + count > size for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
        raise ValueError("the file ends before its pixels do")


def _tiff_samples(page: Any) -> tuple[NDArray[np.float32], int]:
    colours = {
        tifffile.PHOTOMETRIC.MINISWHITE: 1,
        tifffile.PHOTOMETRIC.MINISBLACK: 1,
        tifffile.PHOTOMETRIC.PALETTE: 1,
        tifffile.PHOTOMETRIC.RGB: 3,
    }
    if page.compression == tifffile.COMPRESSION.JPEG:
        colours[tifffile.PHOTOMETRIC.YCBCR] = 3  # which comes out of the decoder as RGB
    channels = colours.get(page.photometric)
    if channels is None:
        raise KdError(f"a TIFF in {page.photometric.name}: kd takes grey and RGB, so convert it first")
    if (
        page.dtype is None
        or page.dtype.kind not in "buf"
        or (page.dtype.kind == "u" and page.dtype.itemsize > 2)
    ):
        raise KdError(f"a TIFF of {page.dtype} samples: kd takes 8 and 16 bits and floating point")

    raw = page.asarray()
    if page.axes == "SYX":
        raw = np.moveaxis(raw, 0, -1)
    elif page.axes not in ("YX", "YXS"):
        raise KdError(f"a TIFF with the axes {page.axes}: kd takes a single flat picture")

    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        return _unit(np.moveaxis(page.colormap, 0, -1)[raw], 65535), 8
    floating = page.dtype.kind == "f"
    if floating:
        _check_range(raw)
    samples = _unit(raw, 1 if floating else 2**page.bitspersample - 1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        samples[..., :1] = 1 - samples[..., :1]
    bits = 8 if page.dtype.itemsize == 1 else 16
    return _with_alpha(samples, channels, page.extrasamples), bits


def _with_alpha(samples: NDArray[np.float32], channels: int, extra: tuple[int, ...]) -> NDArray[np.float32]:
    """The colour channels, followed by the first extra one if it is an alpha channel."""
    colour = samples[..., :channels]
    if not extra or extra[0] == tifffile.EXTRASAMPLE.UNSPECIFIED:
        return colour
    alpha = samples[..., channels : channels + 1]
    if extra[0] == tifffile.EXTRASAMPLE.ASSOCALPHA:  # colours stored already multiplied by alpha
        colour = np.clip(np.divide(colour, alpha, out=np.zeros_like(colour), where=alpha > 0), 0, 1)
    return np.concatenate([colour, alpha], axis=-1)


def _check_range(raw: NDArray[Any]) -> None:
    low, high = float(raw.min()), float(raw.max())
    if not np.isfinite([low, high]).all():
        raise KdError("it holds NaN or infinite pixels: mend them first")
    if low < -1e-3 or high > 1 + 1e-3:
        raise KdError(f"a floating-point TIFF from {low:.4g} to {high:.4g}: scale it to 0 ... 1 first")


def _unit(raw: NDArray[Any], top: float) -> NDArray[np.float32]:
    """Samples (H, W) or (H, W, C) from 0 to `top` as float32 (H, W, C) in [0, 1]."""
    scaled: NDArray[np.float32] = np.clip(raw.astype(np.float32) / np.float32(top), 0, 1)
    return scaled[..., None] if scaled.ndim == 2 else scaled


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise KdError(_too_large(f"{width}x{height} pixels: "))


def _too_large(measured: str = "") -> str:
    return f"{measured}more than the {MAX_PIXELS // 10**6} million that kd opens: scale it down first"
