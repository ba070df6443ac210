"""Pictures inside a page: small enough, and all of one scene alike, so that they can be compared."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kdcli.files.psf import kernel_picture

Pixels = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Pictures:
    """What there is to see of one image of a data set.

    Attributes:
        blurred, sharp: (H, W) or (H, W, 3) in [0, 1].
        restored: the like, by the name of the method.
        kernel: the true one (k, k), or None.
        kernels: the estimated ones (k, k) or None, by the name of the method.
    """

    blurred: Pixels
    sharp: Pixels
    restored: Mapping[str, Pixels] = field(default_factory=dict)
    kernel: Pixels | None = None
    kernels: Mapping[str, Pixels | None] = field(default_factory=dict)


_LADDER = (
    *((1024, quality) for quality in (92, 84, 75)),
    *((768, 75), (512, 75), (512, 60), (384, 60), (256, 60), (256, 40), (192, 40), (128, 40), (96, 30)),
)
"""Longest side in pixels and quality, from the best looking to the smallest."""


def embed(images: Sequence[Pixels], share: int) -> list[str]:
    """Data URIs of WebP files: the best step of the ladder on which all of them fit in `share` characters.

    They all get the same size and quality, since a comparison would else show the encoder's work. If
    they don't fit on any step, they are those of the last one.

    Args:
        images: (H, W) or (H, W, 3) in [0, 1]; what is outside is clipped, as a file would.
        share: characters that all of them may take.
    """
    photos = [_photo(image) for image in images]
    longest = max((max(photo.size) for photo in photos), default=0)
    tried: set[tuple[int, int]] = set()
    uris: list[str] = []
    for side, quality in _LADDER:
        step = (min(side, longest), quality)
        if step in tried:
            continue
        tried.add(step)
        uris = _encode_within(photos, *step, share if side != _LADDER[-1][0] else None)
        if len(uris) == len(photos):
            break
    return uris


def embed_kernel(kernel: Pixels) -> str:
    """A data URI of a PNG file (k, k), the peak white."""
    return _uri(Image.fromarray(kernel_picture(kernel)), "png", optimize=True)


def _encode_within(photos: Sequence[Image.Image], side: int, quality: int, share: int | None) -> list[str]:
    """All of the photos, or, as soon as they take more than `share`, only the first ones."""
    uris: list[str] = []
    left = share
    for photo in photos:
        small = photo.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        uri = _uri(small, "webp", quality=quality)
        if left is not None:
            left -= len(uri)
            if left < 0:
                break
        uris.append(uri)
    return uris


def _photo(image: Pixels) -> Image.Image:
    samples = np.rint(255 * np.nan_to_num(np.asarray(image, np.float32)).clip(0, 1)).astype(np.uint8)
    return Image.fromarray(samples).convert("RGB")


def _uri(picture: Image.Image, format: str, **settings: Any) -> str:
    file = io.BytesIO()
    picture.save(file, format, **settings)
    return f"data:image/{format};base64,{base64.b64encode(file.getvalue()).decode()}"
