"""TIFF to samples, by tifffile: 8 and 16 bits, floating point, every compression that imagecodecs knows."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image

from kdcli.errors import KdError
from kdcli.files.cmyk import cmyk_to_srgb
from kdcli.files.decoded import MORE_PICTURES, Decoded, check_size
from kdcli.files.samples import to_unit

# A TIFF keeps what it says about the photo and how its own pixels are laid out in one list of tags: only
# the first kind belongs in the next file.
_TAGS_KEPT = {
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

_MOST_CHANNELS = 8
_MOST_PAGES_ASKED = 16


def decode_tiff(data: bytes, max_pixels: int) -> Decoded:
    """Read a photo from the bytes of a TIFF; of several pages, the first.

    Raises:
        KdError: too large, raw, or samples that kd does not take.
        Exception: whatever a damaged file drives the decoder into.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages[0]
        if page.is_reduced:
            raise KdError("its first picture is a preview, as in a camera's raw file: develop it first")
        check_size(page.imagewidth, page.imagelength, max_pixels)
        _check_layout(page, len(data), max_pixels)
        icc = page.iccprofile
        samples, bits, notes = _samples(page, icc)
        xmp = page.tags[700].value if 700 in page.tags else None
        exif = _exif(tiff, data, page)
        if _more_pages(tiff):
            notes.append(MORE_PICTURES)
    return Decoded(
        samples=samples,
        bits=bits,
        exif=exif,
        icc=None if page.photometric == tifffile.PHOTOMETRIC.SEPARATED else icc,
        xmp=xmp if isinstance(xmp, bytes) else None,
        format="TIFF",
        notes=tuple(notes),
    )


def _check_layout(page: Any, size: int, max_pixels: int) -> None:
    """Refuse what would be filled with black, or fill the memory with nothing.

    tifffile fills what a cut-off file lacks; a user would rather know.
    """
    if page.samplesperpixel > _MOST_CHANNELS:
        raise KdError(f"a TIFF of {page.samplesperpixel} channels: kd takes grey and RGB")
    if page.compression not in tifffile.TIFF.DECOMPRESSORS:
        name = getattr(page.compression, "name", page.compression)
        raise KdError(
            f"a TIFF packed by {name}, which this imagecodecs cannot unpack: pip install --upgrade tifffile "
            "imagecodecs, or save it uncompressed"
        )
    if page.is_tiled and page.tilewidth * page.tilelength > max(max_pixels, 1 << 20):
        raise ValueError("its tiles are larger than any photo")
    if any(start + count > size for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
        raise ValueError("the file ends before its pixels do")


def _samples(page: Any, icc: bytes | None) -> tuple[NDArray[np.float32], int, list[str]]:
    """Samples (H, W, C) in [0, 1], the bits that hold them, and notes."""
    colours = {
        tifffile.PHOTOMETRIC.MINISWHITE: 1,
        tifffile.PHOTOMETRIC.MINISBLACK: 1,
        tifffile.PHOTOMETRIC.PALETTE: 1,
        tifffile.PHOTOMETRIC.RGB: 3,
        tifffile.PHOTOMETRIC.SEPARATED: 4,
    }
    if page.compression == tifffile.COMPRESSION.JPEG:
        colours[tifffile.PHOTOMETRIC.YCBCR] = 3  # which comes out of the decoder as RGB
    channels = colours.get(page.photometric)
    if channels is None:
        name = getattr(page.photometric, "name", page.photometric)
        raise KdError(f"a TIFF in {name}: kd takes grey and RGB, so convert it first")
    dtype = page.dtype
    if dtype is None or dtype.kind not in "buf" or (dtype.kind == "u" and dtype.itemsize > 2):
        raise KdError(f"a TIFF of {dtype} samples: kd takes 8 and 16 bits and floating point")

    raw = page.asarray()
    if page.axes == "SYX":
        raw = np.moveaxis(raw, 0, -1)
    elif page.axes not in ("YX", "YXS"):
        raise KdError(f"a TIFF with the axes {page.axes}: kd takes a single flat picture")
    if raw.shape[:2] != (page.imagelength, page.imagewidth):
        raise ValueError("its sizes contradict each other")

    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        palette = np.moveaxis(page.colormap, 0, -1)
        return to_unit(palette[raw], 65535), 8, ["has a palette: written in full colour"]
    if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
        if raw.shape[2:] != (4,) or raw.dtype != np.uint8:
            raise KdError(f"a TIFF in {raw.dtype} inks {raw.shape[2:]}: kd takes CMYK of 8 bits and RGB")
        rgb, note = cmyk_to_srgb(Image.fromarray(np.ascontiguousarray(raw), "CMYK"), icc)
        return to_unit(np.asarray(rgb), 255), 8, [note]

    notes = []
    if dtype.kind == "f":
        _check_range(raw)
        notes = ["has floating-point samples: written with 16 bits"]
    elif page.bitspersample == 1:
        notes = ["has 1 bit a pixel: written as 8-bit grey"]
    samples = to_unit(raw, 1 if dtype.kind == "f" else 2**page.bitspersample - 1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        np.subtract(1, samples[..., :1], out=samples[..., :1])
    kept = _with_alpha(samples, channels, page.extrasamples)
    if kept.shape[-1:] < samples.shape[-1:]:
        notes.append("has further channels beside its colours: left out")
    return kept, 8 if dtype.itemsize == 1 else 16, notes


def _with_alpha(samples: NDArray[np.float32], channels: int, extra: tuple[int, ...]) -> NDArray[np.float32]:
    """The colour channels, followed by the first extra one if it is an alpha channel.

    A single one of which the file does not say anything is taken for one, as Pillow does.
    """
    colour, alpha = samples[..., :channels], samples[..., channels : channels + 1]
    if extra[0] == tifffile.EXTRASAMPLE.UNSPECIFIED if extra else samples.shape[-1] != channels + 1:
        return colour
    if extra and extra[0] == tifffile.EXTRASAMPLE.ASSOCALPHA:  # colours stored already multiplied by alpha
        np.divide(colour, alpha, out=colour, where=alpha > 0)
        np.clip(colour, 0, 1, out=colour)
    return samples[..., : channels + 1]


def _check_range(raw: NDArray[Any]) -> None:
    low, high = float(raw.min()), float(raw.max())
    if not np.isfinite([low, high]).all():
        raise KdError("it holds NaN or infinite pixels: mend them first")
    if low < -1e-3 or high > 1 + 1e-3:
        raise KdError(f"a floating-point TIFF from {low:.4g} to {high:.4g}: scale it to 0 ... 1 first")


def _more_pages(tiff: tifffile.TiffFile) -> bool:
    """Whether there are pages besides the first that are neither previews nor masks."""
    try:
        others = itertools.islice(tiff.pages, 1, _MOST_PAGES_ASKED)
        return any(not page.is_reduced and not page.is_mask for page in others)  # type: ignore[union-attr]
    except Exception:  # damage further on in the file does not concern the first page
        return False


def _exif(tiff: tifffile.TiffFile, data: bytes, page: Any) -> Image.Exif:
    """The page's tags that say something about the photo, and the lists of tags that they lead to."""
    exif = Image.Exif()
    try:
        exif.endian, exif.bigtiff = tiff.byteorder, tiff.is_bigtiff
        exif.load_from_fp(io.BytesIO(data), page.offset)
        exif.bigtiff = False  # the block to be made of it
        for tag in set(exif) - _TAGS_KEPT:
            del exif[tag]
    except Exception:  # the pixels are worth more than the tags
        exif = Image.Exif()
    if ExifTags.Base.Orientation in page.tags:  # which Pillow does not find in every file that tifffile reads
        exif[ExifTags.Base.Orientation] = page.tags[ExifTags.Base.Orientation].value
    return exif
