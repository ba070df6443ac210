"""From the bytes of a photo to its samples: JPEG, PNG, TIFF, WebP, BMP, AVIF and HEIC."""

from __future__ import annotations

import logging
import warnings

from PIL import UnidentifiedImageError

from kdcli.errors import KdError
from kdcli.files.decode_pillow import decode_pillow
from kdcli.files.decode_tiff import decode_tiff
from kdcli.files.decoded import MAX_PIXELS, Decoded

# What these log about a damaged file is raised too, or of no interest; with no handler it would be printed.
for _name in ("imagecodecs", "tifffile"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Read a photo from the bytes of its file; of several pages or frames, the first.

    Raises:
        KdError: no known format, damaged, too large, or of a kind that cannot be deblurred (raw, NaN, ...).
    """
    kind = _kind(data)
    if kind is None:
        raise KdError("not a photo that kd can read: use JPEG, PNG, TIFF, WebP, BMP, AVIF or HEIC")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode_tiff(data, max_pixels) if kind == "TIFF" else decode_pillow(data, kind, max_pixels)
    except (KdError, MemoryError):
        raise
    except UnidentifiedImageError as error:  # whose own text names a buffer in memory
        raise KdError(f"damaged, or no {kind} after all: get it again") from error
    # The decoders let out whatever a damaged file drives them into: struct, index, zlib, run-time errors.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise KdError(f"damaged or cut off, or no {kind} after all ({reason}): get it again") from error


def _kind(data: bytes) -> str | None:
    """The format that the first bytes promise."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        length = int.from_bytes(data[:4], "big")
        brands = {data[at : at + 4] for at in (8, *range(16, min(length, 256), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIF" if brands & _HEIF_BRANDS else None
    return next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), None)
