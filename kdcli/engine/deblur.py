"""What happens to a photo, from pixels to pixels: plan, estimate, refine, restore."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from kdcli.blur.confidence import UNCERTAIN, confidence, is_no_blur
from kdcli.blur.kernels import centred_exactly, width
from kdcli.engine.estimate import estimate_kernels, sample_kernels
from kdcli.engine.fuse import fuse
from kdcli.engine.guidance import Guide, Restorer, refine
from kdcli.engine.options import Options
from kdcli.engine.patches import informative_patches, is_flat
from kdcli.engine.published import check_preset, refine_published, sample_published
from kdcli.engine.restore import restore
from kdcli.nets.paper.dwdn import DWDN
from kdcli.nets.paper.unet import KernelUNet
from kdcli.nets.schedule import make_schedule
from kdcli.weights import Models

Progress = Callable[[str, float], None]
Window = tuple[slice, slice]

FLAT_WARNING = "the photo has no edges to estimate a blur from: it is returned unchanged"
SHARP_NOTE = "the photo is sharp already: it is returned unchanged"
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
        residuals: a curve for every patch and sample of the mean squared reblurring error, over the sampling
            steps or, where there are none, the turns (as the paper's Figure 5); ``Options.residuals``.
        found: whether there was anything to estimate from; if not, the kernel is that of no blur.
        confidence: how similar (MNC) the kernel can be expected to be to the true one, in [0, 1]; NaN where
            there is no estimate.
    """

    kernel: np.ndarray
    kernel_width: int
    reblur_loss: float
    patches: int
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    residuals: list[list[float]] = field(default_factory=list)
    found: bool = True
    confidence: float = float("nan")


@dataclass
class Deblurred:
    """A restored photo with the kernel it was restored with.

    Attributes:
        restored: float32 in [0, 1], of the photo's shape or of the part's that was to be restored.
        changed: False where the photo was returned as it was.
        kernel, kernel_width, reblur_loss, patches, seconds, warnings, residuals, confidence: as in
            ``KernelEstimate``.
    """

    restored: np.ndarray
    kernel: np.ndarray
    kernel_width: int
    reblur_loss: float
    patches: int
    changed: bool
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    residuals: list[list[float]] = field(default_factory=list)
    confidence: float = float("nan")


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
    if isinstance(models.kernel, KernelUNet):
        return _estimate_as_published(models.kernel, models.solver, photo, options, say)
    generator = torch.Generator().manual_seed(options.seed)
    losses: list[torch.Tensor] = []
    with timed(seconds, "estimate"):
        patches = informative_patches(photo, options.patches)

        @torch.no_grad()
        def record(kernels: torch.Tensor) -> None:
            if options.residuals and options.steps == 1:
                losses.append(Guide(models.solver, patches).loss(kernels))

        kernels = estimate_kernels(models.kernel, patches, options, lambda f: say("estimate", f), record)
    if options.steps > 1:
        with timed(seconds, "sample"):
            guide = Guide(models.solver, patches, options.samples)
            samples = sample_kernels(
                models.kernel,
                patches,
                kernels[: len(patches)],
                make_schedule(options.schedule),
                guide,
                options,
                generator,
                lambda f: say("sample", f),
                losses.append,
            )
            kernels = _best(samples, guide, options.samples)
    fused, agreement = fuse(kernels)
    if options.refine_steps > 0:
        with timed(seconds, "refine"):
            every = fused.expand(len(patches), -1, -1, -1)
            refined = refine(Guide(models.solver, patches), every, options, lambda f: say("refine", f))
            fused, _ = fuse(refined)
    kernel_tensor = centred_exactly(fused)[0, 0]
    with timed(seconds, "judge"), torch.no_grad():
        loss = Guide(models.solver, patches[:1]).loss(kernel_tensor[None, None])
    trust = float(confidence(kernel_tensor))
    warnings = []
    if agreement < _DISAGREEMENT and len(patches) > 1:
        warnings.append("parts of the photo disagree about the blur: it may vary across the photo")
    if trust < UNCERTAIN:
        warnings.append(f"the kernel is uncertain (confidence {trust:.2f}): look at the result")
    return KernelEstimate(
        kernel_tensor.cpu().numpy(),
        width(kernel_tensor),
        float(loss[0]),
        len(patches),
        seconds,
        warnings,
        torch.stack(losses, 1).tolist() if losses else [],
        confidence=trust,
    )


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
    say = progress or (lambda _stage, _fraction: None)
    part = image if window is None else image[window]
    if kernel is None:
        found = estimate_image_kernel(image, models, options, progress=say)
        sharp = found.found and is_no_blur(torch.from_numpy(found.kernel))
        if sharp or not found.found:
            return Deblurred(
                part,
                found.kernel,
                found.kernel_width,
                found.reblur_loss,
                found.patches,
                False,
                found.seconds,
                [*found.warnings, SHARP_NOTE] if sharp else found.warnings,
                found.residuals,
                found.confidence,
            )
    else:
        given = torch.from_numpy(np.ascontiguousarray(kernel, dtype=np.float32))
        found = KernelEstimate(given.numpy(), width(given), float("nan"), 0)
    photo = to_tensor(part, models.device)
    k = torch.from_numpy(found.kernel).to(models.device)[None, None]
    exact = kernel is not None and not isinstance(models.solver, DWDN)  # which restores in either case
    with timed(found.seconds, "restore"):
        restored = restore(models.solver, photo, k, exact, lambda f: say("restore", f))
    return Deblurred(
        to_array(restored, part),
        found.kernel,
        found.kernel_width,
        found.reblur_loss,
        found.patches,
        True,
        found.seconds,
        found.warnings,
        found.residuals,
        found.confidence,
    )


def _estimate_as_published(
    network: KernelUNet, solver: Restorer, photo: torch.Tensor, options: Options, say: Progress
) -> KernelEstimate:
    """The published networks' own way to a kernel; see ``kdcli/engine/published.py``."""
    check_preset(options)
    generator = torch.Generator().manual_seed(options.seed)
    seconds: dict[str, float] = {}
    losses: list[torch.Tensor] = []
    patches = informative_patches(photo, options.patches)
    with timed(seconds, "sample"):
        samples = sample_published(
            network, solver, patches, options, generator, lambda f: say("sample", f), losses.append
        )
    with timed(seconds, "refine"):
        samples = refine_published(solver, patches, samples, options.refine_steps, lambda f: say("refine", f))
    with timed(seconds, "judge"), torch.no_grad():
        kernel, _ = fuse(_best(samples, Guide(solver, patches, options.samples), options.samples))
        loss = Guide(solver, patches[:1]).loss(kernel)
    return KernelEstimate(
        kernel[0, 0].cpu().numpy(),
        width(kernel[0, 0]),
        float(loss[0]),
        len(patches),
        seconds,
        residuals=torch.stack(losses, 1).tolist() if losses else [],
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
