"""Whether a photo's blur changes across it, and its kernels on a grid if it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from kdcli.blur.kernels import KERNEL_SIZE, centred_exactly, mnc, width
from kdcli.blur.motion_density import fit_motion
from kdcli.engine.arrays import to_tensor
from kdcli.engine.estimate import estimate_kernels
from kdcli.engine.grid import KernelGrid, agreement, cut, nodes
from kdcli.engine.options import PRESETS, Options
from kdcli.engine.patches import PATCH, informative_patches, is_flat
from kdcli.engine.results import UNCERTAIN_WARNING, KernelEstimate
from kdcli.engine.timed import timed
from kdcli.errors import UsageError
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise
from kdcli.weights import Models

Progress = Callable[[str, float], None]

AGREED = 0.8
"""Agreement (MNC) of kernels in different places from which on they are taken for one."""

DISAGREEMENT_WARNING = "parts of the photo disagree about the blur: it may vary across the photo"
SMALL_WARNING = "the photo is too small for kernels that change across it: one kernel was used"

_AT_ONCE = 16  # patches in a batch, which bounds the memory
# The MNC of a patch's kernel that can be expected, by its likeness to what the network makes of it; least
# squares on 56 held-out pairs (docs/experiments.md).
_CONSTANT, _STEADY = -2.16, 3.11
_LEAST = 0.01  # trust in a kernel; that in one of a patch without edges


def look_across(
    network: KernelNet, photo: torch.Tensor, found: KernelEstimate, options: Options, say: Progress
) -> None:
    """Add kernels on a grid to an estimate, if the blur changes across the photo or ``options.blur`` says so.

    At first only the best patch of each quarter is looked at, which costs a photo of one blur little.

    Args:
        photo: (1, 3, H, W) in [0, 1].
        found: from its most informative patches.
    """
    if not is_divisible(photo, options):
        if options.blur == "varying":
            found.warnings.append(SMALL_WARNING)
        return
    with timed(found.seconds, "look across"):
        if options.blur == "auto":
            quarters = _quarters(photo)
            if agreement(*_look(network, quarters, options, lambda f: say("look across", 0.2 * f))) >= AGREED:
                say("look across", 1.0)
                return
        grid = kernel_grid(network, photo, options, None, lambda f: say("look across", 0.2 + 0.8 * f))
    if options.blur == "varying" or grid.agreement < AGREED:
        found.grid = grid
        found.kernel, found.kernel_width = grid.middle, width(torch.from_numpy(grid.middle))
        # What was said of the one kernel is not true of these.
        found.reblur_loss = found.confidence = float("nan")
        said = (DISAGREEMENT_WARNING, UNCERTAIN_WARNING)
        found.warnings[:] = [warning for warning in found.warnings if not warning.startswith(said)]


def image_grid(
    image: np.ndarray,
    models: Models,
    options: Options,
    shape: tuple[int, int],
    *,
    progress: Progress | None = None,
) -> KernelGrid:
    """Estimate the kernels on a grid over a photo.

    Args:
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        shape: rows and columns of the grid.
        progress: called with the stage and the fraction of it that is done.

    Raises:
        UsageError: the photo is smaller than a patch, the networks are the published ones, or the options ask
            for what only one kernel gets.
    """
    if not isinstance(models.kernel, KernelNet):
        raise UsageError("the published networks know one kernel only: use other weights for a grid")
    if min(image.shape[:2]) < PATCH:
        raise UsageError(f"a grid of kernels takes a photo of at least {PATCH}x{PATCH} pixels")
    if options.steps > 1 or options.refine_steps not in (0, PRESETS[options.preset].refine_steps):
        raise UsageError(
            "the kernels of a grid are neither sampled nor refined: leave out --steps and the like"
        )
    say = progress or (lambda _stage, _fraction: None)
    photo = to_tensor(image, models.device, options.light)
    grid = kernel_grid(models.kernel, photo, options, shape, lambda f: say("estimate", f))
    return replace(grid, found=not is_flat(informative_patches(photo, 1)))


def kernel_grid(
    network: KernelNet,
    photo: torch.Tensor,
    options: Options,
    shape: tuple[int, int] | None,
    progress: Callable[[float], None],
) -> KernelGrid:
    """Estimate the kernels on a grid of patches, one look each, and the camera motion behind them all.

    Args:
        photo: (1, 3, H, W) in [0, 1], at least 256 pixels a side.
        shape: rows and columns of the grid, or None for as many as tell anything apart.
    """
    height, width = photo.shape[-2:]
    rows, columns = nodes((height, width), shape)
    patches = cut(photo, rows, columns)
    kernels, trust = _look(network, patches, options, lambda f: progress(0.7 * f))
    alike = agreement(kernels, trust) if len(kernels) > 1 else 1.0
    offset = (PATCH - 1) / 2
    places = [(row + offset, column + offset) for row in rows for column in columns]
    middle = complex(width - 1, height - 1) / 2
    motion = fit_motion(kernels[:, None], places, trust.square(), middle)
    fitted = torch.cat([motion.at(*place) for place in places])
    if len(kernels) > 1:  # what the others know helps each patch to look once more
        kernels = centred_exactly(_look_again(network, patches, fitted))
        progress(0.95)
        motion = fit_motion(kernels, places, _trust(network, patches, kernels[:, 0]).square(), middle)
        fitted = torch.cat([motion.at(*place) for place in places])
    progress(1.0)
    return KernelGrid(
        fitted.view(len(rows), len(columns), KERNEL_SIZE, KERNEL_SIZE).cpu().numpy(),
        tuple(row + offset for row in rows),
        tuple(column + offset for column in columns),
        alike,
        motion,
    )


def is_divisible(photo: torch.Tensor, options: Options) -> bool:
    """Whether there is more than one kernel to look for in a photo (1, C, H, W).

    Patches that share half their pixels give kernels that are nearly the same, whatever the blur does: on its
    own, "auto" only looks where the quarters of a photo hold a patch each.
    """
    sides = photo.shape[-2:]
    if options.blur == "varying":
        rows, columns = nodes((sides[0], sides[1])) if min(sides) >= PATCH else ([], [])
        return len(rows) * len(columns) > 1
    return options.blur == "auto" and min(sides) >= 2 * PATCH


def _quarters(photo: torch.Tensor) -> torch.Tensor:
    """The most informative patch of each quarter of a photo (1, C, H, W): (4, C, 256, 256)."""
    height, width = photo.shape[-2:]
    return torch.cat(
        [
            informative_patches(photo[..., rows, columns], 1)
            for rows in (slice(0, height // 2), slice(height // 2, height))
            for columns in (slice(0, width // 2), slice(width // 2, width))
        ]
    )


def _look(
    network: KernelNet, patches: torch.Tensor, options: Options, progress: Callable[[float], None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The kernels (N, 64, 64) of patches, one look each, and how far to trust them (N,)."""
    once = replace(options, looks=1, fine_looks=1)  # at each as at a photo of its own
    looks = estimate_kernels(network, patches.split(1), once, progress)
    kernels = centred_exactly(torch.cat([look.kernels for look in looks]))[:, 0]
    return kernels, _trust(network, patches, kernels)


@torch.no_grad()
def _look_again(network: KernelNet, patches: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """The kernels (N, 1, 64, 64) of patches after one more pass from those given."""
    parts = zip(patches.split(_AT_ONCE), kernels.split(_AT_ONCE), strict=True)
    return torch.cat([network.predict(standardise(luminance(part)), start) for part, start in parts])


def _trust(network: KernelNet, patches: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """How far to trust the kernels (N, 64, 64) of patches, by how little the network would change them: (N,).

    As weights, which may be coarser than a confidence, and of many patches, none of which is restored.
    """
    flat = torch.tensor([is_flat(patch[None]) for patch in patches], device=kernels.device)
    again = _look_again(network, patches, kernels[:, None])[:, 0]
    expected = _CONSTANT + _STEADY * mnc(kernels, again)
    return torch.where(flat, _LEAST, expected.clamp(_LEAST, 1))
