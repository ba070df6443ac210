"""A network goes over a large image in parts, in bounded memory, and answers as for the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import torch

Progress = Callable[[float], None]


class Part(NamedTuple):
    """A part of a side: what the network sees, what is kept of its answer, and where in it that lies."""

    seen: slice
    kept: slice
    inner: slice


def parts_of(length: int, side: int, view: int) -> list[Part]:
    """The parts of a side of so many pixels, each seen with its surroundings.

    Args:
        side: the most pixels that are seen at once; like ``view`` a multiple of the network's coarsest pixel,
            so that the coarse pixels of a part are those of the whole.
        view: pixels on either side on which the network's answer depends, no more.
    """
    if length <= side:
        return [Part(slice(0, length), slice(0, length), slice(0, length))]
    parts = []
    stride = side - 2 * view
    for first in range(0, length, stride):
        last, begin = min(first + stride, length), max(first - view, 0)
        seen = slice(begin, min(last + view, length))
        parts.append(Part(seen, slice(first, last), slice(first - begin, last - begin)))
    return parts


def in_parts(
    local: Callable[..., tuple[torch.Tensor, ...]],
    images: Sequence[torch.Tensor],
    *,
    side: int,
    view: int,
    progress: Progress,
) -> tuple[torch.Tensor, ...]:
    """What a network makes of images (N, C, H, W) of one size.

    Args:
        local: from parts of them, of one size, to images of that size; sees no further than ``view``.
        side: of the parts in pixels.
        progress: called with the fraction of the parts that is done.
    """
    height, width = images[0].shape[-2:]
    rows, columns = parts_of(height, side, view), parts_of(width, side, view)
    if len(rows) == len(columns) == 1:
        return local(*images)
    wholes: list[torch.Tensor] = []
    for done, (row, column) in enumerate(product(rows, columns)):
        found = local(*(image[..., row.seen, column.seen] for image in images))
        if not wholes:
            wholes = [part.new_empty(*part.shape[:2], height, width) for part in found]
        for whole, part in zip(wholes, found, strict=True):
            whole[..., row.kept, column.kept] = part[..., row.inner, column.inner]
        progress((done + 1) / (len(rows) * len(columns)))
    return tuple(wholes)
