"""Restore a photo of any size, in bounded memory: one piece, or overlapping ones that are blended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import torch

from kdcli.blur.degrade import soften
from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.blur.noise import noise_level
from kdcli.blur.softness import softness_of_kernel
from kdcli.engine.grid import KernelGrid
from kdcli.engine.guidance import Restorer
from kdcli.nets.parts import Progress
from kdcli.nets.prior import ALIGNED
from kdcli.nets.solver import Solver, given

_Measure = Callable[[torch.Tensor], torch.Tensor]
"""The noise level (N, 1, 1, 1) of photos or parts of them."""

_Restored = Callable[[torch.Tensor, float, float, Progress], torch.Tensor]
"""A tile's restoration, from the tile, the row and column of its middle, and whom to tell of the progress."""

WHOLE = 27 * 2**20  # pixels of the largest photo whose blur is uniform that is restored in one piece
TILE = 3072  # side of the pieces of larger ones
REACH = 256  # pixels beyond which little is felt of what lies beyond a piece's edge
_BLEND = 32
_NOISE_PART = 1024
_CAMERA = 0.5  # pixels by which photos of cameras come out too sharp at least: docs/experiments.md
_PUBLISHED_TILE, _PUBLISHED_REACH = 1024, 96  # of the published solver, a network all through
_SMALLEST, _LARGEST = 192, 1024  # sides of the tiles for blur that changes
_NEAR = KERNEL_SIZE // 2  # what these discard: the kernel of a tile's middle is wrong at its edges anyway


def softness_taken(kernel: torch.Tensor, from_camera: torch.Tensor) -> torch.Tensor:
    """How much too sharp restorations with estimated kernels come out, in pixels of a Gaussian: (N,).

    By what of the camera's softness the kernel holds, and in photos of cameras by half a pixel at least: the
    solver knows sharper photos than these are.

    Args:
        kernel: (N, 1, 64, 64).
        from_camera: (N,).
    """
    held = softness_of_kernel(kernel)
    return torch.where(from_camera, held.clamp(min=_CAMERA), held)


def restore(
    solver: Restorer,
    photo: torch.Tensor,
    kernel: torch.Tensor,
    known: bool,
    from_camera: torch.Tensor | bool,
    progress: Progress,
) -> torch.Tensor:
    """Restore photos with one kernel each.

    What estimated kernels take of the camera's softness is given back.

    Args:
        photo: (N, 3, H, W) in [0, 1].
        kernel: (N, 1, 64, 64).
        known: whether the kernel is known rather than estimated.
        from_camera: (N,) or one for all, whether the photos are straight from a camera, where that is known.

    Returns:
        (N, 3, H, W) in [0, 1].
    """
    from_camera = torch.as_tensor(from_camera, device=photo.device).expand(len(photo))
    measure = partial(noise_level, kernel=kernel, known=known, from_camera=from_camera)
    best = _restorer(solver, photo, measure, known)
    if not isinstance(solver, Solver):
        tile, discard = _PUBLISHED_TILE, _PUBLISHED_REACH
    elif photo.shape[-2] * photo.shape[-1] <= WHOLE:
        tile, discard = max(photo.shape[-2:]), 0
    else:
        tile, discard = TILE, REACH
    estimated = isinstance(solver, Solver) and not known
    softness = softness_taken(kernel, from_camera) if estimated else kernel.new_zeros(len(kernel))
    giving_back = bool(softness.any())

    def restored(part: torch.Tensor, _row: float, _column: float, told: Progress) -> torch.Tensor:
        answer = best(part, kernel, told)
        return soften(answer.clamp_(0, 1), softness) if giving_back else answer

    return _in_tiles(restored, photo, tile, discard, progress)


def restore_varying(
    solver: Restorer, photo: torch.Tensor, grid: KernelGrid, corner: tuple[int, int], progress: Progress
) -> torch.Tensor:
    """Restore with a kernel for every tile, that of its middle; blended, they change smoothly.

    Args:
        photo: (1, 3, H, W) in [0, 1], or a part of it.
        corner: row and column of the photo at which the part begins.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    best = _restorer(solver, photo, noise_level, known=False)

    def restored(tile: torch.Tensor, row: float, column: float, told: Progress) -> torch.Tensor:
        return best(tile, grid.motion.at(corner[0] + row, corner[1] + column), told)

    # So small that two or more fit between nodes: the smaller, the better they follow the blur.
    side = max(_SMALLEST, min(_LARGEST, int(grid.spacing / 2) + 2 * _NEAR + _BLEND))
    return _in_tiles(restored, photo, side, _NEAR, progress)


def _restorer(
    solver: Restorer, photo: torch.Tensor, measure: _Measure, known: bool
) -> Callable[[torch.Tensor, torch.Tensor, Progress], torch.Tensor]:
    """The solver, told how far the kernel is known, and the noise of the whole photo: tiles must agree."""
    if not isinstance(solver, Solver):
        return lambda tile, kernel, _told: solver(tile, kernel)
    noise = _noise(photo, measure)
    exact = given(noise) if known else None
    return lambda tile, kernel, told: solver(tile, kernel, exact, noise, told)


def _noise(photo: torch.Tensor, measure: _Measure) -> torch.Tensor:
    """The noise level (N, 1, 1, 1) of a photo: the median of its parts', which bounds the memory."""
    down, across = (_even(side, _NOISE_PART) for side in photo.shape[-2:])
    parts = [measure(photo[..., rows, columns]) for rows in down for columns in across]
    return torch.stack(parts).median(0).values


def _even(length: int, part: int) -> list[slice]:
    """Parts of nearly the same length, about so long: a sliver tells little."""
    count = max(1, round(length / part))
    return [slice(i * length // count, (i + 1) * length // count) for i in range(count)]


def _in_tiles(
    restored: _Restored, photo: torch.Tensor, tile: int, discard: int, progress: Progress
) -> torch.Tensor:
    """Restore tile by tile and blend; ``restored`` is told where the middle of a tile's share is.

    Args:
        tile: side of the tiles.
        discard: pixels next to a tile's inner edges that do not count, for what lies beyond is not seen.
    """
    height, width = photo.shape[-2:]
    rows, columns = spans(height, tile, discard), spans(width, tile, discard)
    down, across = (shares(each, discard, photo.device) for each in (rows, columns))
    count = len(rows) * len(columns)
    if count == 1:
        progress(0.0)
        with torch.no_grad():
            answer = restored(photo, height / 2, width / 2, progress).clamp_(0, 1)
        progress(1.0)
        return answer
    total = torch.zeros_like(photo)  # beside the photo, the only thing of its size
    for done, (i, j) in enumerate(product(range(len(rows)), range(len(columns)))):

        def told(fraction: float, done: int = done) -> None:
            progress((done + fraction) / count)

        (top, bottom), (left, right) = rows[i], columns[j]
        middle = top + _middle(down[i]), left + _middle(across[j])
        with torch.no_grad():
            answer = restored(photo[..., top:bottom, left:right], *middle, told)
            total[..., top:bottom, left:right] += answer * (down[i][:, None] * across[j])
        told(1.0)
    return total.clamp_(0, 1)


def spans(length: int, tile: int, discard: int) -> list[tuple[int, int]]:
    """First and last places of the tiles along a side; neighbours share 2 x discard + blend or more.

    They begin at multiples of ``ALIGNED``, so that the network's coarse pixels are those of the whole photo.
    """
    if length <= tile:
        return [(0, length)]
    stride = tile - 2 * discard - _BLEND - ALIGNED
    count = 1 + -(-(length - tile) // stride)
    step = (length - tile) / (count - 1)
    starts = [round(i * step) // ALIGNED * ALIGNED for i in range(count)]
    return [(start, start + tile) for start in starts[:-1]] + [(starts[-1], length)]


def shares(parts: list[tuple[int, int]], discard: int, device: torch.device) -> list[torch.Tensor]:
    """The weights of the pixels of each tile along a side: those of all tiles at a pixel sum to 1."""
    length = parts[-1][1]
    ramps = [ramp(first, last, length, discard, device) for first, last in parts]
    total = torch.zeros(length, device=device)
    for weight, (first, last) in zip(ramps, parts, strict=True):
        total[first:last] += weight
    return [weight / total[first:last] for weight, (first, last) in zip(ramps, parts, strict=True)]


def _middle(share: torch.Tensor) -> float:
    """The centre of mass of a tile's weights along a side, from its first place."""
    places = torch.arange(len(share), device=share.device)
    return float((share * places).sum() / share.sum())


def ramp(first: int, last: int, length: int, discard: int, device: torch.device) -> torch.Tensor:
    """The weight (last - first,) of a tile's pixels: 1 inside, 0 at inner edges, linear between."""
    place = torch.arange(first, last, device=device, dtype=torch.float32) + 0.5
    weight = torch.ones_like(place)
    if first > 0:
        weight = torch.minimum(weight, ((place - first - discard) / _BLEND).clamp(0, 1))
    if last < length:
        weight = torch.minimum(weight, ((last - discard - place) / _BLEND).clamp(0, 1))
    return weight
