"""Restore a photo of any size: overlapping tiles, blended without seams, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.blur.sparse import restore_exact
from kdcli.nets.solver import Solver

TILE = 512
_DISCARD = KERNEL_SIZE // 2  # next to a tile's inner edges, where the solution guesses what lies beyond
_BLEND = 32


def restore(
    solver: Solver,
    photo: torch.Tensor,
    kernel: torch.Tensor,
    exact: bool,
    progress: Callable[[float], None],
) -> torch.Tensor:
    """Restore with one kernel.

    Args:
        photo: (1, 3, H, W) in [0, 1].
        kernel: (1, 1, 64, 64).
        exact: whether the kernel is known rather than estimated; then no network is needed to bear it.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    height, width = photo.shape[-2:]
    rows, columns = spans(height), spans(width)
    total, weights = torch.zeros_like(photo), torch.zeros_like(photo[:, :1])
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            tile = photo[..., top:bottom, left:right]
            window = ramp(top, bottom, height, photo.device)[:, None] * ramp(left, right, width, photo.device)
            with torch.no_grad():
                restored = restore_exact(tile, kernel) if exact else solver(tile, kernel)
                total[..., top:bottom, left:right] += restored * window
            weights[..., top:bottom, left:right] += window
            progress((i * len(columns) + j + 1) / (len(rows) * len(columns)))
    return (total / weights).clamp(0, 1)


def spans(length: int) -> list[tuple[int, int]]:
    """First and last places of the tiles along a side; neighbours share 2 x discard + blend pixels."""
    if length <= TILE:
        return [(0, length)]
    stride = TILE - 2 * _DISCARD - _BLEND
    starts = [*range(0, length - TILE, stride), length - TILE]
    return [(start, start + TILE) for start in starts]


def ramp(first: int, last: int, length: int, device: torch.device) -> torch.Tensor:
    """The weight (last - first,) of a tile's pixels: 1 inside, 0 at inner edges, linear between."""
    place = torch.arange(first, last, device=device, dtype=torch.float32) + 0.5
    weight = torch.ones_like(place)
    if first > 0:
        weight = torch.minimum(weight, ((place - first - _DISCARD) / _BLEND).clamp(0, 1))
    if last < length:
        weight = torch.minimum(weight, ((last - _DISCARD - place) / _BLEND).clamp(0, 1))
    return weight
