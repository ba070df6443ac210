"""The looks at a photo that a kernel is estimated from: its patches, flipped and turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from kdcli.blur.noise import is_sensor_noise, noise_level
from kdcli.blur.turns import turn, turn_back, turn_kernel, turned, turned_back
from kdcli.engine.alternate import alternate_coarse, alternate_fine
from kdcli.engine.fuse import fuse
from kdcli.engine.options import Options
from kdcli.engine.sample import Record
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.parts import Progress

_COARSE = 0.3  # of the time of all looks goes into those at half the scale, about
_AT_ONCE = {"cpu": 16, "cuda": 128}  # patches in a batch, which bounds the memory


def turns_of(patches: torch.Tensor, looks: int) -> int:
    """In how many flips and quarter turns patches (N, ...) make so many looks or more: 1 to 8."""
    return min(-(-looks // len(patches)), 8)


@dataclass(frozen=True)
class Looks:
    """What several looks at a photo gave.

    Attributes:
        kernels: (L, 1, 64, 64), those of the looks that went on at the whole scale.
        alike: the mean likeness (MNC) of all looks at half the scale with the one most like the others;
            those that go on from one kernel stay alike.
    """

    kernels: torch.Tensor
    alike: float


def estimate_kernels(
    network: KernelNet,
    patches: Sequence[torch.Tensor],
    options: Options,
    progress: Progress,
    record: Record = lambda _kernels: None,
) -> list[Looks]:
    """Look at the patches of photos, as they are, then flipped and turned.

    ``options.looks`` or more times at half the scale, where a look takes a quarter of the time. The kernels
    are fused into one of the photo, from which the first ``options.fine_looks`` go on at the whole scale.
    Where there is a sensor's noise, looks are less sure of themselves, and what they have in common is not
    much: there all go on, each by itself.

    Args:
        patches: (N, C, 256, 256) of each photo; the networks look at those of all photos at once.
        record: called with the kernels of the first photo's patches as they are, after every pass and every
            ascent at the whole scale.
    """
    photos = [standardise(luminance(own)) for own in patches]
    coarse = _coarse_looks(network, photos, options, lambda f: progress(_COARSE * f))
    views: list[_View] = []
    likeness = []
    for i, (y, kernels) in enumerate(zip(photos, coarse, strict=True)):
        fused, alike = fuse(kernels)
        likeness.append(alike)
        turns = options.fine
        if has_sensor_noise(patches[i]):
            turns += options.noisy_fine
        else:
            kernels = fused.expand_as(kernels)[: options.fine_looks]
        for which, own in enumerate(kernels.split(len(y))):
            views.append(_View(i, which, turns, turn(y[: len(own)], which), turn_kernel(own, which)))
    views.sort(key=lambda view: view.turns)  # those that take the same turns go together
    fine = _fine_looks(network, views, record, lambda f: progress(_COARSE + (1 - _COARSE) * f))
    looks: list[list[torch.Tensor]] = [[] for _ in photos]
    for view, part in zip(views, fine, strict=True):
        looks[view.photo].append(turn_back(part, view.which))
    return [Looks(torch.cat(own), alike) for own, alike in zip(looks, likeness, strict=True)]


@dataclass(frozen=True)
class _View:
    """Patches of a photo, flipped or turned, that go on at the whole scale.

    Attributes:
        photo: its number.
        which: of the flips and quarter turns, see ``turn``.
        turns: that network and likelihood take.
        y: (N, 1, 256, 256), standardised luminance.
        kernel: (N, 1, 64, 64), to begin with.
    """

    photo: int
    which: int
    turns: int
    y: torch.Tensor
    kernel: torch.Tensor


def _coarse_looks(
    network: KernelNet, photos: Sequence[torch.Tensor], options: Options, progress: Progress
) -> list[torch.Tensor]:
    """The kernels (L, 1, 64, 64) of the looks at each photo's patches (N, 1, 256, 256)."""
    counts = [turns_of(y, options.looks) for y in photos]
    views = [turned(y, count) for y, count in zip(photos, counts, strict=True)]
    together = torch.cat(views)
    kernels = []
    for batch in together.split(_AT_ONCE[together.device.type]):
        kernels.append(alternate_coarse(network, batch, options.coarse))
        progress(sum(map(len, kernels)) / len(together))
    parts = torch.cat(kernels).split([len(own) for own in views])
    return [turned_back(part, count) for part, count in zip(parts, counts, strict=True)]


def _fine_looks(
    network: KernelNet, views: Sequence[_View], record: Record, progress: Progress
) -> list[torch.Tensor]:
    """The kernels (N, 1, 64, 64) of each view, which come in the order of their turns."""
    batches: list[tuple[int, torch.Tensor, torch.Tensor]] = []
    for turns, group in groupby(views, key=lambda view: view.turns):
        own = list(group)
        y, kernel = torch.cat([view.y for view in own]), torch.cat([view.kernel for view in own])
        at_once = _AT_ONCE[y.device.type]
        batches += [(turns, *pair) for pair in zip(y.split(at_once), kernel.split(at_once), strict=True)]
    upright = len(views[0].y)
    kernels = []
    for number, (turns, y, start) in enumerate(batches):
        kernel = start
        for index, kernel in enumerate(alternate_fine(network, y, start, turns)):
            if number == 0:
                record(kernel[:upright])
            progress((number + (index + 1) / (2 * turns - 1)) / len(batches))
        kernels.append(kernel)
    return list(torch.cat(kernels).split([len(view.y) for view in views]))


def has_sensor_noise(patches: torch.Tensor) -> bool:
    """Whether a photo has a sensor's noise, by the best, the first, of its patches (N, 3, H, W)."""
    return bool(is_sensor_noise(noise_level(patches[:1])))
