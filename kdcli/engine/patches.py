"""Which 256x256 parts of a photo tell the most about its blur."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.convolve import pad_reflect
from kdcli.nets.estimator import luminance
from kdcli.nets.lagspace import gradients

PATCH = 256
_STRIDE = 32
_BAND = 512  # rows that are looked at together
_CLIPPED = 0.99
_FLAT = 0.6 / 255  # root mean square of the gradients below which there are no edges to speak of
_WORTH = 0.01  # of the best patch's measure: less is next to nothing, and would outvote it


def informative_patches(photo: torch.Tensor, count: int) -> torch.Tensor:
    """Cut out the patches with the strongest gradients in the most directions and few clipped pixels.

    The measure of a patch is the smaller eigenvalue of its structure tensor, that is the gradient power
    in its poorest direction.

    Args:
        photo: (1, C, H, W) in [0, 1]; a side below 256 is mirrored up to it.
        count: at most so many; patches overlap by half at most, and none tells next to nothing.

    Returns:
        (N, C, 256, 256), 1 <= N <= count, the best first.
    """
    short = max(PATCH - photo.shape[-2], PATCH - photo.shape[-1], 0)
    if short:
        photo = pad_reflect(photo, (short + 1) // 2)
    measure = _measure(photo)
    least = _WORTH * float(measure.max())
    patches: list[torch.Tensor] = []
    for _ in range(count):
        best = int(measure.argmax())
        row, column = divmod(best, measure.shape[1])
        if patches and measure[row, column] <= least:
            break
        top = min(row * _STRIDE, photo.shape[-2] - PATCH)
        left = min(column * _STRIDE, photo.shape[-1] - PATCH)
        patches.append(photo[..., top : top + PATCH, left : left + PATCH])
        near = PATCH // 2 // _STRIDE
        measure[max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1] = 0
    return torch.cat(patches)


def informative_window(photo: torch.Tensor, side: int) -> tuple[slice, slice]:
    """Rows and columns of the `side` x `side` pixels about the most informative patch.

    Args:
        photo: (1, C, H, W) in [0, 1]; of a side shorter than `side`, all is taken.
    """
    height, width = photo.shape[-2:]
    places = [0, 0]
    if min(height, width) >= PATCH:
        measure = _measure(photo)
        places = [_STRIDE * step for step in divmod(int(measure.argmax()), measure.shape[1])]
    starts = [
        max(0, min(place + (PATCH - side) // 2, length - side))
        for place, length in zip(places, (height, width), strict=True)
    ]
    rows, columns = (slice(start, start + side) for start in starts)
    return rows, columns


def is_flat(photo: torch.Tensor) -> bool:
    """Whether a photo (1, C, H, W) has no edges that a kernel could be estimated from."""
    height, width = photo.shape[-2:]
    power = sum(
        float(_edges(photo, top, min(top + _BAND, height))[:, :2].square().sum())
        for top in range(0, height, _BAND)
    )
    return (power / (2 * max((height - 2) * (width - 2), 1))) ** 0.5 < _FLAT


def _measure(photo: torch.Tensor) -> torch.Tensor:
    """The worth (rows, columns) of every patch of (1, C, H, W) on a grid of ``_STRIDE`` pixels."""
    rows, step = (photo.shape[-2] - PATCH) // _STRIDE + 1, _BAND // _STRIDE
    means = [
        _structure(photo, first * _STRIDE, (min(first + step, rows) - 1) * _STRIDE + PATCH)
        for first in range(0, rows, step)
    ]
    xx, yy, xy, share = torch.cat(means, dim=-2)[0]
    smaller = (xx + yy) / 2 - ((xx - yy).square() / 4 + xy.square()).sqrt()
    return (smaller + 1e-3 * (xx + yy)).clamp(min=0) * share.square() + 1e-12


def _structure(photo: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
    """The mean structure tensor and share of trusted pixels (1, 4, rows, columns) of a band's patches."""
    gx, gy, trusted = _edges(photo, top, bottom).split(1, dim=1)
    tensor = torch.cat([gx * gx * trusted, gy * gy * trusted, gx * gy * trusted, trusted], dim=1)
    return F.avg_pool2d(tensor, PATCH, _STRIDE)


def _edges(photo: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
    """Of the rows from top to bottom: x- and y-gradients, and where they are not clipped, (1, 3, rows, W).

    By bands, since all of this for a whole photo would take several times the memory of the photo. Next to
    the photo's border, where differences would reach around it, all three are 0.
    """
    first = max(top - 1, 0)
    y = luminance(photo[..., first : bottom + 1, :])
    edges = torch.cat([gradients(y), (y < _CLIPPED).float()], dim=1)
    inside = torch.zeros_like(y)
    inside[..., 1:-1, 1:-1] = 1
    return (edges * inside)[..., top - first : bottom - first, :]
