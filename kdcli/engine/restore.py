"""Restore a photo of any size: overlapping tiles, blended without seams, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.blur.sparse import restore_exact
from kdcli.engine.guidance import Restorer

TILE = 512
_DISCARD = KERNEL_SIZE // 2  # next to a tile's inner edges, where the solution guesses what lies beyond
_BLEND = 32


def restore(
    solver: Restorer,
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
    down, across = shares(height, photo.device), shares(width, photo.device)
    total = torch.zeros_like(photo)  # beside the photo, the only thing of its size
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            tile = photo[..., top:bottom, left:right]
            with torch.no_grad():
                restored = restore_exact(tile, kernel) if exact else solver(tile, kernel)
                total[..., top:bottom, left:right] += restored * (down[i][:, None] * across[j])
            progress((i * len(columns) + j + 1) / (len(rows) * len(columns)))
    return total.clamp_(0, 1)


def spans(length: int) -> list[tuple[int, int]]:
    """First and last places of the tiles along a side; neighbours share 2 x discard + blend pixels."""
    if length <= TILE:
        return [(0, length)]
    stride = TILE - 2 * _DISCARD - _BLEND
    starts = [*range(0, length - TILE, stride), length - TILE]
    return [(start, start + TILE) for start in starts]


def shares(length: int, device: torch.device) -> list[torch.Tensor]:
    """The weights of the pixels of each tile along a side: those of all tiles at a pixel sum to 1."""
    ramps = [ramp(first, last, length, device) for first, last in spans(length)]
    total = torch.zeros(length, device=device)
    for weight, (first, last) in zip(ramps, spans(length), strict=True):
        total[first:last] += weight
    return [weight / total[first:last] for weight, (first, last) in zip(ramps, spans(length), strict=True)]


def ramp(first: int, last: int, length: int, device: torch.device) -> torch.Tensor:
    """The weight (last - first,) of a tile's pixels: 1 inside, 0 at inner edges, linear between."""
    place = torch.arange(first, last, device=device, dtype=torch.float32) + 0.5
    weight = torch.ones_like(place)
    if first > 0:
        weight = torch.minimum(weight, ((place - first - _DISCARD) / _BLEND).clamp(0, 1))
    if last < length:
        weight = torch.minimum(weight, ((last - _DISCARD - place) / _BLEND).clamp(0, 1))
    return weight
