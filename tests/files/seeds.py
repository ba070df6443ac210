"""Photos to test with: one small file of every format and kind that kd reads, and what they are made of."""

from __future__ import annotations

import importlib.util
import io
import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from kdcli.files.encode import encode
from kdcli.files.photo import Photo
from tests.conftest import pattern

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = RGB_PROFILE[:16] + b"GRAY" + RGB_PROFILE[20:]

has_heif = importlib.util.find_spec("pillow_heif") is not None


def camera_exif(orientation: int = 1, description: str = "") -> bytes:
    """An EXIF block with tags of the three kinds: the photo's, the camera's and the place's."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.25
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    if description:
        exif[ExifTags.Base.ImageDescription] = description
    return exif.tobytes()


def xmp_packet(orientation: int = 1, text: str = "") -> bytes:
    """An XMP packet that says how the camera was held, and more."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmp:Rating="4" tiff:Orientation="{orientation}" xmp:Label="Zoë{text}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def cmyk_profile() -> bytes:
    """A colour profile (ICC, version 2) of a printer whose every ink is the same neutral grey."""
    grid = np.indices((2, 2, 2, 2)).sum(0)  # inks at full strength at the corners of the table
    lightness = np.array([255, 128, 64, 32, 0], np.uint8)[grid]
    table = np.stack([lightness, np.full_like(lightness, 128), np.full_like(lightness, 128)], -1)
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    lut = b"mft1" + struct.pack(">4x4B", 4, 3, 2, 0) + matrix + ramp * 4 + table.tobytes() + ramp * 3
    lut += bytes(-len(lut) % 4)
    white = b"XYZ " + struct.pack(">4x3i", 63190, 65536, 54061)
    header = struct.pack(">4x4sI4s4s4s", b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ").ljust(36, b"\0")
    header = (header + b"acsp").ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    tags = struct.pack(">I4sII4sII", 2, b"A2B0", 156, len(lut), b"wtpt", 156 + len(lut), len(white))
    body = header.ljust(128, b"\0") + tags + lut + white
    return struct.pack(">I", len(body)) + body[4:]


def sixteen_bit(channels: int | None) -> np.ndarray:
    """Samples whose low bytes matter."""
    shape = (20, 24) if channels is None else (20, 24, channels)
    return np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)


def as_photo(raw: np.ndarray, **kept: Any) -> Photo:
    """The photo of integers (H, W) or (H, W, C)."""
    samples = (raw / np.iinfo(raw.dtype).max).astype(np.float32)
    bits = 8 * raw.dtype.itemsize
    if raw.ndim == 3 and raw.shape[2] in (2, 4):
        colour = samples[..., 0] if raw.shape[2] == 2 else samples[..., :3]
        return Photo(colour, samples[..., -1], bits, **kept)
    return Photo(samples, None, bits, **kept)


def saved(image: Image.Image | np.ndarray, format: str, **settings: Any) -> bytes:
    """The bytes of a file that Pillow writes."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format, **settings)
    return file.getvalue()


def png(image: np.ndarray, xmp: bytes, **settings: Any) -> bytes:
    """The bytes of a PNG that Pillow writes, with an XMP packet."""
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return saved(image, "PNG", pnginfo=text, **settings)


def tiff(raw: np.ndarray, **settings: Any) -> bytes:
    """The bytes of a file that tifffile writes."""
    file = io.BytesIO()
    tifffile.imwrite(file, raw, **settings)
    return file.getvalue()


def seeds() -> dict[str, bytes]:
    """The files by name; HEIC where the plug-in is there."""
    rgb, rgba, grey = pattern(), pattern(channels=4), pattern(channels=None)
    deep = rgb.astype(np.uint16) * 257
    kept = {"exif": camera_exif(6), "icc_profile": RGB_PROFILE, "xmp": xmp_packet(6)}
    blocks = {"exif": camera_exif(), "icc": RGB_PROFILE, "xmp": xmp_packet()}
    turned = Image.fromarray(rgb).rotate(180)
    palette = Image.fromarray(rgb).quantize(16)
    make: dict[str, Callable[[], bytes]] = {
        "jpeg": lambda: saved(rgb, "JPEG", **kept),
        "jpeg-progressive": lambda: saved(rgb, "JPEG", progressive=True, **kept),
        "jpeg-grey": lambda: saved(grey, "JPEG", quality=60),
        "jpeg-cmyk": lambda: saved(
            Image.fromarray(rgb).convert("CMYK"), "JPEG", icc_profile=cmyk_profile(), exif=camera_exif(3)
        ),
        "jpeg-several": lambda: saved(Image.fromarray(rgb), "MPO", save_all=True, append_images=[turned]),
        "png": lambda: encode(rgba, "PNG", **blocks),
        "png-16": lambda: encode(deep, "PNG", **blocks),
        "png-palette": lambda: saved(palette, "PNG", transparency=0),
        "png-1-bit": lambda: saved(Image.fromarray(grey).convert("1"), "PNG"),
        "png-animated": lambda: saved(
            Image.fromarray(rgb), "PNG", save_all=True, append_images=[turned], **kept
        ),
        "tiff": lambda: encode(rgba, "TIFF", **blocks),
        "tiff-16": lambda: encode(deep, "TIFF", **blocks),
        "tiff-float": lambda: tiff(
            rgb.astype(np.float32) / 255, compression="zlib", predictor=True, photometric="rgb"
        ),
        "tiff-half": lambda: tiff((grey / 255).astype(np.float16)),
        "tiff-tiles": lambda: tiff(deep, tile=(16, 16), compression="lzw", photometric="rgb"),
        "tiff-jpeg": lambda: tiff(rgb, compression="jpeg", photometric="rgb", rowsperstrip=8),
        "tiff-planes": lambda: tiff(np.moveaxis(rgb, -1, 0), photometric="rgb", planarconfig="separate"),
        "tiff-big": lambda: tiff(rgb, bigtiff=True, byteorder=">", photometric="rgb"),
        "tiff-pages": lambda: tiff(np.stack([grey] * 3), photometric="minisblack"),
        "tiff-palette": lambda: saved(palette, "TIFF"),
        "tiff-1-bit": lambda: saved(Image.fromarray(grey).convert("1"), "TIFF", compression="packbits"),
        "tiff-cmyk": lambda: saved(Image.fromarray(rgb).convert("CMYK"), "TIFF"),
        "tiff-premultiplied": lambda: tiff(rgba, photometric="rgb", extrasamples=["ASSOCALPHA"]),
        "webp": lambda: saved(rgb, "WEBP", **kept),
        "webp-lossless": lambda: saved(rgba, "WEBP", lossless=True, **kept),
        "webp-animated": lambda: saved(
            Image.fromarray(rgb), "WEBP", save_all=True, append_images=[turned], **kept
        ),
        "bmp": lambda: saved(rgb, "BMP"),
        "bmp-grey": lambda: saved(grey, "BMP"),
        "avif": lambda: saved(rgba, "AVIF", speed=10, **kept),
        "avif-10-bit": lambda: bytes(imagecodecs.avif_encode(deep >> 6, bitspersample=10, speed=10)),
    }
    if has_heif:
        import pillow_heif

        pillow_heif.register_heif_opener()
        make["heic"] = lambda: saved(rgb, "HEIF", **kept)
        make["heic-alpha"] = lambda: saved(rgba, "HEIF")
    return {name: made() for name, made in make.items()}
