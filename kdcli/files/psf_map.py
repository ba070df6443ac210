"""A map of the blur: the kernels of a grid, drawn over the photo where they belong."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kdcli.files.atomic import write_atomically
from kdcli.files.paths import check_output
from kdcli.files.place import Place
from kdcli.files.psf import SUFFIXES
from kdcli.files.samples import to_integers

LONGEST = 1600
"""Side in pixels that larger photos are scaled down to."""

_DIMMED = 0.45  # what is left of the photo's brightness, so that the kernels stand out
_INK = np.array([255, 214, 64], np.float32)


def write_psf_map(
    path: Place,
    photo: NDArray[Any],
    kernels: NDArray[Any],
    rows: Sequence[float],
    columns: Sequence[float],
    *,
    overwrite: bool = False,
) -> None:
    """Write the kernels of a grid: `.png` as a map over the photo, `.npy` as a float32 array (R, C, k, k).

    Args:
        photo: (H, W) or (H, W, 3) in [0, 1].
        kernels: (R, C, k, k), non-negative.
        rows, columns: (R,) and (C,), the middles of the kernels in pixels of the photo.

    Raises:
        UsageError: another suffix, missing folder, or a file in the way.
        KdError: the system refused.
    """
    check_output(path, SUFFIXES, overwrite=overwrite)
    file = io.BytesIO()
    if path.suffix.lower() == ".npy":
        np.save(file, np.asarray(kernels, np.float32))
    else:
        psf_map(photo, kernels, rows, columns).save(file, "PNG")
    write_atomically(path, file.getvalue(), overwrite=overwrite)


def psf_map(
    photo: NDArray[Any], kernels: NDArray[Any], rows: Sequence[float], columns: Sequence[float]
) -> Image.Image:
    """The map: arguments as in ``write_psf_map``. Kernels are magnified as far as they stay apart."""
    samples = to_integers(photo, None, 8)
    picture = Image.fromarray(samples[..., 0] if samples.shape[-1] == 1 else samples).convert("L")
    scale = min(1.0, LONGEST / max(picture.size))
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    canvas = _DIMMED * np.asarray(picture.convert("RGB"), np.float32)
    steps = [*np.diff(rows), *np.diff(columns), min(photo.shape[:2])]
    side = max(kernels.shape[-1] // 2, int(0.95 * scale * min(steps)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            level = np.asarray(kernels[i, j] / max(kernels[i, j].max(), 1e-12), np.float32)
            ink = np.asarray(Image.fromarray(level).resize((side, side), Image.Resampling.BILINEAR))
            _draw(canvas, ink, round(scale * row), round(scale * column))
    return Image.fromarray(np.rint(canvas).astype(np.uint8))


def _draw(canvas: NDArray[np.float32], ink: NDArray[np.float32], row: int, column: int) -> None:
    """Paint a square of ink about a place; what lies outside the canvas is left out."""
    top, left = row - len(ink) // 2, column - len(ink) // 2
    first = max(-top, 0), max(-left, 0)
    part = canvas[max(top, 0) : max(top + len(ink), 0), max(left, 0) : max(left + len(ink), 0)]
    share = ink[first[0] : first[0] + len(part), first[1] : first[1] + part.shape[1], None]
    part[:] = (1 - share) * part + share * _INK
