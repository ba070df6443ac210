"""What happens to photos, from pixels to pixels: estimate their kernels, then restore them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from kdcli.blur.kernels import is_no_blur, width
from kdcli.engine.arrays import to_array, to_tensor
from kdcli.engine.kernel import find_kernels
from kdcli.engine.options import Options
from kdcli.engine.restore import restore, restore_varying
from kdcli.engine.results import Deblurred, KernelEstimate
from kdcli.engine.timed import timed
from kdcli.weights import Models

Progress = Callable[[str, float], None]
Window = tuple[slice, slice]

_LARGE = 768
"""Longer side in pixels from which on photos are restored one by one, which bounds the memory."""

SHARP_NOTE = "the photo is sharp already: it is returned unchanged"


def estimate_image_kernel(
    image: np.ndarray, models: Models, options: Options, *, progress: Progress | None = None
) -> KernelEstimate:
    """Estimate the blur kernel of a photo from its most informative patches.

    Args:
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        progress: called with the stage and the fraction of it that is done.
    """
    return _find([image], models, options, progress or _ignore)[0]


def deblur_image(
    image: np.ndarray,
    models: Models,
    options: Options,
    *,
    kernel: np.ndarray | None = None,
    window: Window | None = None,
    progress: Progress | None = None,
) -> Deblurred:
    """Restore a photo, with a given kernel or with one estimated from it.

    Args:
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        kernel: (64, 64) of sum 1, or None.
        window: rows and columns to restore, where not all; the kernel is that of the whole photo anyway.
        progress: called with the stage and the fraction of it that is done.
    """
    rows, columns = window or (slice(0, None), slice(0, None))
    corner = rows.start, columns.start
    return _deblur([image], [image[rows, columns]], models, options, kernel, progress or _ignore, corner)[0]


def deblur_images(
    images: Sequence[np.ndarray],
    models: Models,
    options: Options,
    *,
    kernel: np.ndarray | None = None,
    progress: Progress | None = None,
) -> list[Deblurred]:
    """Restore several photos at once, which keeps a GPU busy; arguments as in ``deblur_image``.

    The time of what they share is divided among them. What is computed in one batch rounds differently from
    what is computed alone, by less than what is seen.
    """
    return _deblur(images, images, models, options, kernel, progress or _ignore)


def _deblur(
    images: Sequence[np.ndarray],
    parts: Sequence[np.ndarray],
    models: Models,
    options: Options,
    kernel: np.ndarray | None,
    say: Progress,
    corner: tuple[int, int] = (0, 0),
) -> list[Deblurred]:
    """Restore the parts of images that begin at a corner, row and column."""
    found = _find(images, models, options, say) if kernel is None else [_given(kernel) for _ in images]
    blurred = [i for i, one in enumerate(found) if kernel is not None or _is_blurred(one)]
    restored: list[np.ndarray] = list(parts)
    for group in _batches(blurred, parts, found):
        stack = [to_tensor(parts[i], models.device, options.light) for i in group]
        photos = torch.cat(stack) if len(stack) > 1 else stack[0]  # a large photo is not copied
        kernels = torch.stack([torch.from_numpy(found[i].kernel) for i in group])[:, None].to(models.device)
        spent: dict[str, float] = {}
        grid = found[group[0]].grid
        with timed(spent, "restore"):
            if grid is None:
                camera = torch.tensor([found[i].from_camera for i in group], device=models.device)
                answers = restore(
                    models.solver, photos, kernels, kernel is not None, camera, lambda f: say("restore", f)
                )
            else:
                answers = restore_varying(models.solver, photos, grid, corner, lambda f: say("restore", f))
        for i, answer in zip(group, answers.split(1), strict=True):
            restored[i] = to_array(answer, parts[i], options.light)
            found[i].seconds["restore"] = spent["restore"] / len(group)
    return [
        Deblurred(
            restored[i],
            one.kernel,
            one.kernel_width,
            one.reblur_loss,
            one.patches,
            i in blurred,
            one.seconds,
            one.warnings if i in blurred or not one.found else [*one.warnings, SHARP_NOTE],
            one.residuals,
            one.confidence,
            one.grid,
            one.from_camera,
        )
        for i, one in enumerate(found)
    ]


def _find(
    images: Sequence[np.ndarray], models: Models, options: Options, say: Progress
) -> list[KernelEstimate]:
    photos = [to_tensor(image, models.device, options.light) for image in images]
    return find_kernels(photos, models, options, say)


def _ignore(_stage: str, _fraction: float) -> None:
    """Progress that nobody follows."""


def _given(kernel: np.ndarray) -> KernelEstimate:
    kernel = np.ascontiguousarray(kernel, dtype=np.float32)
    return KernelEstimate(kernel, width(torch.from_numpy(kernel)), float("nan"), 0)


def _is_blurred(estimate: KernelEstimate) -> bool:
    if estimate.grid is not None:  # its middle may be that of no blur: the camera rolled about it
        return True
    return estimate.found and not is_no_blur(torch.from_numpy(estimate.kernel))


def _batches(
    indices: Sequence[int], parts: Sequence[np.ndarray], found: Sequence[KernelEstimate]
) -> list[list[int]]:
    """Photos to restore at once: of one size, a tile and a kernel each; a larger one by itself."""
    groups: dict[object, list[int]] = {}
    for i in indices:
        height, width = parts[i].shape[:2]
        alone = max(height, width) > _LARGE or found[i].grid is not None
        groups.setdefault(i if alone else (height, width), []).append(i)
    return list(groups.values())
