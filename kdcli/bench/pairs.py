"""How a sharp photo becomes a pair: crop, blur, noise, 8 bit, JPEG.

What ``kd synth`` writes, what named sets are made of and what ``kd bench --noise --jpeg --kernels`` does to
any set is this and nothing else, so that an option means the same everywhere.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from kdcli.blur.convolve import convolve

CROP = 256
"""Side of the pairs in pixels."""

Photo = NDArray[np.floating]


def random_crop(photo: Photo, rng: np.random.Generator) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A crop (256, 256, 3) of a photo (H, W, 3) in [0, 1], H, W >= 256, and its upper left corner."""
    top, left = (int(rng.integers(side - CROP + 1)) for side in photo.shape[:2])
    return to_8_bit(photo[top : top + CROP, left : left + CROP]), (top, left)


def blur(sharp: Photo, kernel: NDArray[np.float32]) -> NDArray[np.float64]:
    """kernel * sharp with reflected borders, not rounded.

    Args:
        sharp: (H, W, 3) in [0, 1].
        kernel: (64, 64).
    """
    image = torch.from_numpy(np.ascontiguousarray(sharp, np.float64)).permute(2, 0, 1)[None]
    blurred = convolve(image, torch.from_numpy(np.ascontiguousarray(kernel, np.float64))[None, None])
    return np.ascontiguousarray(blurred[0].permute(1, 2, 0).numpy())


def record(
    blurred: Photo, rng: np.random.Generator, *, noise: float = 0.0, jpeg: int | None = None
) -> NDArray[np.uint8]:
    """What a file keeps of a blurred photo: JPEG(round(blurred + noise)).

    Args:
        blurred: (H, W, 3) in [0, 1].
        rng: of the noise; it advances only if there is some.
        noise: standard deviation of white Gaussian noise, the same in every pixel and channel; black is
            0 and white 1.
        jpeg: quality (1 to 100) at which the photo is saved as JPEG (Pillow's, colour at half size) and
            read again, or None.

    Returns:
        (H, W, 3).
    """
    if noise > 0:
        blurred = blurred + noise * rng.standard_normal(blurred.shape, dtype=np.float32)
    pixels = to_8_bit(blurred)
    if jpeg is None:
        return pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=jpeg)
    return np.asarray(Image.open(file))


def to_8_bit(image: Photo) -> NDArray[np.uint8]:
    """An image clipped to [0, 1] and rounded to 256 levels.

    What lies within a 200,000th of a level from the middle between two counts as the middle, so that the
    last bits of a Fourier transform, which differ between machines, do not decide.
    """
    levels = np.round(np.clip(image, 0, 1).astype(np.float64) * 255, 5)
    return np.rint(levels).astype(np.uint8)


def to_float(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """8-bit pixels in [0, 1]."""
    return np.asarray(pixels / np.float32(255), np.float32)
