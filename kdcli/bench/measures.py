"""How close a restored photo is to the sharp one, and an estimated kernel to the true one.

Images are (H, W) or (H, W, 3), in [0, 1]; what a restored one has outside is clipped, as a file would.
The aligned measures first move the restored image by the best sub-pixel shift and leave a border out,
since kernel and image are only known up to a common shift (Levin et al. 2009, Köhler et al. 2012).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.transform import AffineTransform, warp

from kdcli.blur import kernels
from kdcli.errors import KdError

BORDER = 32
"""Pixels that the aligned measures leave out: half a kernel."""

_LEAST_SIDE = 2 * BORDER + 8  # of images that can be aligned

_FARTHEST = 16  # whole pixels that are searched, each way
_STEPS = (0.5, 0.25, 0.125, 0.0625)

Image = NDArray[np.floating[Any]]


def psnr(restored: Image, sharp: Image) -> float:
    """Peak signal-to-noise ratio in dB, over all pixels and channels; infinite for equal images."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(sharp, np.clip(restored, 0, 1), data_range=1))


def ssim(restored: Image, sharp: Image) -> float:
    """Structural similarity (Wang et al. 2004), 7x7 windows, mean over the channels."""
    axis = -1 if sharp.ndim == 3 else None
    return float(structural_similarity(sharp, np.clip(restored, 0, 1), data_range=1, channel_axis=axis))


def squared_error(restored: Image, sharp: Image) -> float:
    """Sum of squared differences. Levin's error ratio is that of two restorations, both aligned."""
    return float(np.square(np.clip(restored, 0, 1) - sharp).sum())


def mnc(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """Maximum of normalised cross-correlation of two kernels (64, 64), in [0, 1]."""
    pair = (torch.from_numpy(np.ascontiguousarray(k, dtype=np.float64)) for k in (a, b))
    return float(kernels.mnc(*pair))


def align(restored: Image, sharp: Image) -> tuple[Image, Image]:
    """Both images without their borders, the restored one moved to where it fits the sharp one best.

    Returns:
        Two images (H - 64, W - 64[, 3]).

    Raises:
        KdError: the images differ in size or are smaller than 72 pixels a side.
    """
    if restored.shape != sharp.shape or min(sharp.shape[:2]) < _LEAST_SIDE:
        sizes = f"images of {restored.shape} and {sharp.shape}"
        raise KdError(f"{sizes} cannot be aligned: equal ones of {_LEAST_SIDE} pixels a side can")
    restored = np.clip(restored, 0, 1)
    return _moved(restored, *best_shift(restored, sharp)), _inner(sharp)


def best_shift(restored: Image, sharp: Image) -> tuple[float, float]:
    """Rows and columns by which the restored image has to move, to 1/16 pixel.

    The shift of least squared error inside the border: exactly among whole pixels, then step by step.
    """
    grey, target = (image.mean(-1) if image.ndim == 3 else image for image in (restored, sharp))
    row, column = _whole_shift(np.asarray(grey, np.float64), np.asarray(target, np.float64))
    best = (float(row), float(column))

    def error(place: tuple[float, float]) -> float:
        return float(np.square(_moved(grey, *place) - _inner(target)).mean())

    for step in _STEPS:
        around = [(best[0] + r * step, best[1] + c * step) for r in (0, -1, 1) for c in (0, -1, 1)]
        best = min(around, key=error)
    return best


def _whole_shift(restored: Image, target: Image) -> tuple[int, int]:
    """sum_i m[i] (r[i - s] - t[i])^2 for all s, by FFT; the moved inner part never leaves the image."""
    mask = np.zeros(target.shape)
    _inner(mask)[...] = 1
    mask_hat, known = np.fft.rfft2(mask), np.fft.rfft2(mask * target)
    squares, image = np.fft.rfft2(np.square(restored)), np.fft.rfft2(restored)
    errors = np.fft.irfft2(mask_hat * squares.conj() - 2 * known * image.conj(), s=target.shape)
    around = np.roll(errors, (_FARTHEST, _FARTHEST), (0, 1))[: 2 * _FARTHEST + 1, : 2 * _FARTHEST + 1]
    row, column = np.unravel_index(around.argmin(), around.shape)
    return int(row) - _FARTHEST, int(column) - _FARTHEST


def _moved(image: Image, rows: float, columns: float) -> Image:
    """The inner part of an image moved down and right, bicubic between pixels."""
    if rows.is_integer() and columns.is_integer():
        return _inner(np.roll(image, (int(rows), int(columns)), (0, 1)))
    back = AffineTransform(translation=(-columns, -rows))
    moved: Image = warp(image, back, order=3, mode="edge", preserve_range=True)
    return _inner(moved)


def _inner(image: Image) -> Image:
    return image[BORDER:-BORDER, BORDER:-BORDER]
