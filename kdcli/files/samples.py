"""Integers to [0, 1] and back, without more copies of a large photo than it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # converted at once


def to_unit(raw: NDArray[Any], top: float) -> NDArray[np.float32]:
    """Samples (H, W) or (H, W, C) from 0 to `top` as float32 (H, W, C) in [0, 1]."""
    scaled: NDArray[np.float32] = np.divide(raw, np.float32(top), dtype=np.float32, casting="same_kind")
    np.clip(scaled, 0, 1, out=scaled)
    return scaled[..., None] if scaled.ndim == 2 else scaled


def to_integers(
    pixels: NDArray[Any], alpha: NDArray[np.float32] | None, bits: int
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Pixels (H, W) or (H, W, 3) and alpha (H, W) in [0, 1] (clipped to it) as (H, W, C) of 8 or 16 bits."""
    colour = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, colours = colour.shape
    stored = np.empty((height, width, colours + (alpha is not None)), np.uint8 if bits == 8 else np.uint16)
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        stored[rows, :, :colours] = _rounded(colour[rows], bits)
        if alpha is not None:
            stored[rows, :, colours] = _rounded(alpha[rows], bits)
    return stored


def _rounded(samples: NDArray[Any], bits: int) -> NDArray[Any]:
    rounded: NDArray[Any] = np.rint(np.clip(samples, 0, 1) * (2**bits - 1))
    return rounded


def turn_upright(samples: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Undo the EXIF orientation (1 to 8) of samples (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples
