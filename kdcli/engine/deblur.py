"""What happens to a photo, from pixels to pixels: plan, estimate, refine, restore."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from kdcli.blur.kernels import centred, width
from kdcli.engine.estimate import estimate_kernels, sample_kernels
from kdcli.engine.fuse import fuse
from kdcli.engine.guidance import Guide, refine
from kdcli.engine.options import Options
from kdcli.engine.patches import informative_patches, is_flat
from kdcli.engine.restore import restore
from kdcli.nets.schedule import make_schedule
from kdcli.weights import Models

Progress = Callable[[str, float], None]

FLAT_WARNING = "the photo has no edges to estimate a blur from: it is returned unchanged"
_DISAGREEMENT = 0.5


@dataclass
class KernelEstimate:
    """A blur kernel and how it was found.

    Attributes:
        kernel: (64, 64) float32, sum 1.
        kernel_width: its extent in pixels.
        reblur_loss: mean squared error of the patches blurred again; NaN where there is none.
        patches: how many were looked at.
        seconds: by stage.
        warnings: what the user should know, a line each.
        found: whether there was anything to estimate from; if not, the kernel is that of no blur.
    """

    kernel: np.ndarray
    kernel_width: int
    reblur_loss: float
    patches: int
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    found: bool = True


@dataclass
class Deblurred:
    """A restored photo with the kernel it was restored with.

    Attributes:
        restored: float32 in [0, 1], of the photo's shape.
        changed: False where the photo was returned as it was.
        kernel, kernel_width, reblur_loss, patches, seconds, warnings: as in ``KernelEstimate``.
    """

    restored: np.ndarray
    kernel: np.ndarray
    kernel_width: int
    reblur_loss: float
    patches: int
    changed: bool
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def estimate_image_kernel(
    image: np.ndarray, models: Models, options: Options, *, progress: Progress | None = None
) -> KernelEstimate:
    """Estimate the blur kernel of a photo: the paper's Algorithm 1 on its most informative patches.

    Args:
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        progress: called with the stage and the fraction of it that is done.
    """
    say = progress or (lambda _stage, _fraction: None)
    photo = to_tensor(image, models.device)
    seconds: dict[str, float] = {}
    if is_flat(photo):
        kernel = np.zeros((64, 64), dtype=np.float32)
        kernel[32, 32] = 1
        return KernelEstimate(kernel, 1, float("nan"), 0, seconds, [FLAT_WARNING], found=False)
    generator = torch.Generator().manual_seed(options.seed)
    with timed(seconds, "estimate"):
        patches = informative_patches(photo, options.patches)
        kernels = estimate_kernels(models.kernel, patches, options, lambda f: say("estimate", f))
    if options.steps > 1:
        with timed(seconds, "sample"):
            guide = Guide(models.solver, patches, options.samples)
            samples = sample_kernels(
                models.kernel,
                patches,
                kernels,
                make_schedule(options.schedule),
                guide,
                options,
                generator,
                lambda f: say("sample", f),
            )
            kernels = _best(samples, guide, options.samples)
    if options.refine_steps > 0:
        with timed(seconds, "refine"):
            kernels = refine(Guide(models.solver, patches), kernels, options, lambda f: say("refine", f))
    kernel_tensor, agreement = fuse(kernels)
    kernel_tensor = centred(kernel_tensor[0, 0])
    with timed(seconds, "judge"), torch.no_grad():
        loss = Guide(models.solver, patches[:1]).loss(kernel_tensor[None, None])
    warnings = []
    if agreement < _DISAGREEMENT:
        warnings.append("parts of the photo disagree about the blur: it may vary across the photo")
    return KernelEstimate(
        kernel_tensor.cpu().numpy(), width(kernel_tensor), float(loss[0]), len(patches), seconds, warnings
    )


def deblur_image(
    image: np.ndarray,
    models: Models,
    options: Options,
    *,
    kernel: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Deblurred:
    """Restore a photo, with a given kernel or with one estimated from it.

    Args:
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        kernel: (64, 64) of sum 1, or None.
        progress: called with the stage and the fraction of it that is done.
    """
    say = progress or (lambda _stage, _fraction: None)
    if kernel is None:
        found = estimate_image_kernel(image, models, options, progress=say)
        if not found.found:
            return Deblurred(
                image, found.kernel, 1, found.reblur_loss, 0, False, found.seconds, found.warnings
            )
    else:
        given = torch.from_numpy(np.ascontiguousarray(kernel, dtype=np.float32))
        found = KernelEstimate(given.numpy(), width(given), float("nan"), 0)
    photo = to_tensor(image, models.device)
    k = torch.from_numpy(found.kernel).to(models.device)[None, None]
    with timed(found.seconds, "restore"):
        restored = restore(models.solver, photo, k, kernel is not None, lambda f: say("restore", f))
    return Deblurred(
        to_array(restored, image),
        found.kernel,
        found.kernel_width,
        found.reblur_loss,
        found.patches,
        True,
        found.seconds,
        found.warnings,
    )


def to_tensor(image: np.ndarray, device: torch.device) -> torch.Tensor:
    """(H, W) or (H, W, 3) to (1, 3, H, W) float32; grey becomes three equal channels."""
    tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).to(device)
    return tensor.expand(3, *tensor.shape)[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)[None]


def to_array(photo: torch.Tensor, like: np.ndarray) -> np.ndarray:
    """The inverse of ``to_tensor``, to the shape of ``like``."""
    array = photo[0].permute(1, 2, 0).cpu().numpy()
    return array.mean(-1) if like.ndim == 2 else np.ascontiguousarray(array)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the time of a ``with`` block to a stage."""
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - began


def _best(samples: torch.Tensor, guide: Guide, count: int) -> torch.Tensor:
    """The sample of each patch with the lowest reblurring loss: (N, ...) of (N * count, 1, 64, 64)."""
    if count == 1:
        return samples
    with torch.no_grad():
        best = guide.loss(samples).unflatten(0, (-1, count)).argmin(1)
    return samples.unflatten(0, (-1, count))[torch.arange(len(best), device=best.device), best]
