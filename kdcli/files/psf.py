"""Blur kernels on disk: `.npy` for programs, `.png` for eyes."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kdcli.errors import KdError
from kdcli.files.atomic import write_atomically
from kdcli.files.paths import check_input, check_output
from kdcli.files.photo import load
from kdcli.files.place import Place
from kdcli.files.read_bytes import read_bytes

SIDE = 64
"""Kernels live on a canvas of this many pixels a side, their centre of mass at its pixel (32, 32)."""

SUFFIXES = (".png", ".npy")

_LARGEST_NPY = 1 << 24
_NEGATIVE_TOLERANCE = 1e-3


def read_psf(path: Path) -> NDArray[np.float32]:
    """Read a kernel: a grey picture in any scale, or a two-dimensional array.

    Returns:
        float32 (64, 64), non-negative, sum 1, centre of mass at the pixel nearest to (32, 32) that it fits.

    Raises:
        UsageError: no such file, or a folder.
        KdError: what it holds is no kernel.
    """
    raw = _read_npy(path) if path.suffix.lower() == ".npy" else _read_picture(path)
    try:
        return to_kernel(raw)
    except KdError as error:
        raise KdError(f"{path} is no blur kernel: {error}") from error


def to_kernel(raw: NDArray[Any]) -> NDArray[np.float32]:
    """A kernel (h, w) in any scale on the canvas: float32 (64, 64), as ``read_psf`` returns it.

    Raises:
        KdError: it is no kernel, or larger than the canvas.
    """
    return _to_canvas(_as_kernel(raw))


def write_psf(path: Place, kernel: NDArray[Any], *, overwrite: bool = False) -> None:
    """Write a kernel (k, k): `.png` as 8-bit grey scaled to its peak, `.npy` as float32 with sum 1.

    Raises:
        UsageError: another suffix, missing folder, or a file in the way.
        KdError: the system refused.
    """
    check_output(path, SUFFIXES, overwrite=overwrite)
    file = io.BytesIO()
    if path.suffix.lower() == ".npy":
        np.save(file, np.asarray(kernel / kernel.sum(), np.float32))
    else:
        Image.fromarray(np.rint(255 * np.clip(kernel / kernel.max(), 0, 1)).astype(np.uint8)).save(
            file, "PNG"
        )
    write_atomically(path, file.getvalue(), overwrite=overwrite)


def kernel_picture(kernel: NDArray[Any]) -> NDArray[np.uint8]:
    """A kernel (k, k) as grey pixels to look at: the square root lifts the faint ends into sight."""
    level = np.nan_to_num(np.asarray(kernel, np.float64)).clip(0)
    grey: NDArray[np.uint8] = np.rint(255 * np.sqrt(level / max(level.max(), 1e-12))).astype(np.uint8)
    return grey


def _read_npy(path: Path) -> NDArray[Any]:
    check_input(path)
    data = read_bytes(path, _LARGEST_NPY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    # Of a damaged header NumPy lets out what its parser does, or tries to get the memory that it claims.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise KdError(f"{path} is no .npy array ({reason}): write it with numpy.save") from error


def _read_picture(path: Path) -> NDArray[np.float32]:
    samples = load(path).samples
    colours = samples[..., :3] if samples.shape[-1] >= 3 else samples[..., :1]
    if np.ptp(colours, axis=-1).max() > 0:
        raise KdError(f"{path} is no blur kernel: it has colours, a kernel is grey")
    return colours[..., 0]


def _as_kernel(raw: NDArray[Any]) -> NDArray[np.float64]:
    if raw.ndim != 2 or raw.dtype.kind not in "buif":
        raise KdError(f"it is a {raw.dtype} array of shape {raw.shape}, not numbers in rows and columns")
    with np.errstate(invalid="ignore"):  # of NaN that signals; what comes of it is looked at next
        kernel: NDArray[np.float64] = raw.astype(np.float64)
    if not np.isfinite(kernel).all():
        raise KdError("it holds NaN or infinite values")
    if kernel.size == 0 or kernel.max() <= 0:
        raise KdError("it has no value above zero")
    if kernel.min() < -_NEGATIVE_TOLERANCE * kernel.max():
        raise KdError("it holds negative values, which no exposure leaves")
    kernel = kernel.clip(0)
    kernel /= kernel.sum()
    return kernel


def _to_canvas(kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Trim the empty border and set the rest on the canvas, its centre of mass at the middle pixel.

    A kernel too lopsided for that is set as near to it as the canvas allows: none of it is lost, and the
    restored photo is merely shifted by what is missing.
    """
    rows, columns = (np.flatnonzero(kernel.any(axis)) for axis in (1, 0))
    kernel = kernel[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = kernel.shape
    if max(height, width) > SIDE:
        raise KdError(f"it reaches over {width}x{height} pixels: at most {SIDE}x{SIDE} fit")
    centre = [np.arange(kernel.shape[axis]) @ kernel.sum(1 - axis) for axis in (0, 1)]
    top, left = (
        min(max(SIDE // 2 - round(float(position)), 0), SIDE - side)
        for position, side in zip(centre, kernel.shape, strict=True)
    )
    canvas = np.zeros((SIDE, SIDE), np.float32)
    canvas[top : top + height, left : left + width] = kernel
    return canvas
