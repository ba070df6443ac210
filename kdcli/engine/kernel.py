"""From photos to their blur kernels (Algorithm 1): choose patches, estimate, sample, fuse, refine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from kdcli.blur.kernels import impulse, is_no_blur, width
from kdcli.engine.estimate import Looks, estimate_kernels
from kdcli.engine.fuse import fuse
from kdcli.engine.guidance import Guide, Near, Restorer
from kdcli.engine.judge import UNCERTAIN, confidence
from kdcli.engine.options import Options
from kdcli.engine.patches import informative_patches, is_flat
from kdcli.engine.published import check_preset, refine_published, sample_published
from kdcli.engine.refine import refine
from kdcli.engine.results import FLAT_WARNING, UNCERTAIN_WARNING, KernelEstimate
from kdcli.engine.sample import sample_kernels
from kdcli.engine.settle import finished, settle_as_needed
from kdcli.engine.timed import timed
from kdcli.engine.varying import DISAGREEMENT_WARNING, look_across
from kdcli.nets.estimator import KernelNet
from kdcli.nets.paper.unet import KernelUNet
from kdcli.nets.schedule import make_schedule
from kdcli.weights import Models

Progress = Callable[[str, float], None]

_DISAGREEMENT = 0.5  # likeness (MNC) of the looks below which a user should be told


def find_kernels(
    photos: Sequence[torch.Tensor], models: Models, options: Options, say: Progress
) -> list[KernelEstimate]:
    """Estimate the blur kernel of each photo; the networks look at all of them at once.

    Args:
        photos: (1, 3, H, W) in [0, 1] each, of any sizes.
        say: called with the stage and the fraction of it that is done.
    """
    seconds: dict[str, float] = {}
    with timed(seconds, "choose"):
        patches = [informative_patches(photo, options.patches) for photo in photos]
        flat = [is_flat(own[:1]) for own in patches]  # the best one, however large what is around
    chosen = seconds["choose"] / max(1, len(photos))
    edged = [own for own, nothing in zip(patches, flat, strict=True) if not nothing]
    if isinstance(models.kernel, KernelUNet):
        found = iter([_find_as_published(models.kernel, models.solver, own, options, say) for own in edged])
    elif options.residuals:  # whose curves are those of one photo
        found = (one for own in edged for one in _find(models.kernel, models, [own], chosen, options, say))
    else:
        found = iter(_find(models.kernel, models, edged, chosen, options, say))
    estimates = [_nothing() if nothing else next(found) for nothing in flat]
    if isinstance(models.kernel, KernelNet):
        for photo, one in zip(photos, estimates, strict=True):
            # Where the camera rolled about the middle, the best patches may show no blur.
            if one.found and (options.blur == "varying" or not is_no_blur(torch.from_numpy(one.kernel))):
                look_across(models.kernel, photo, one, options, say)
    return estimates


def _find(
    network: KernelNet,
    models: Models,
    patches: Sequence[torch.Tensor],
    chosen: float,
    options: Options,
    say: Progress,
) -> list[KernelEstimate]:
    """Of the patches of each photo, which took so many seconds a photo to choose."""
    if not patches:
        return []
    seconds = {"estimate": chosen * len(patches)}
    losses: list[torch.Tensor] = []
    with timed(seconds, "estimate"):

        @torch.no_grad()
        def record(kernels: torch.Tensor) -> None:
            if options.residuals and options.steps == 1:
                losses.append(Guide(models.solver, patches[0][: len(kernels)]).loss(kernels))

        looks = estimate_kernels(network, patches, options, lambda f: say("estimate", f), record)
    shared = {stage: value / len(patches) for stage, value in seconds.items()}
    return [
        # Sampling has curves of its own, for each photo.
        _conclude(network, models, own, found, losses[:], dict(shared), options, say)
        for own, found in zip(patches, looks, strict=True)
    ]


def _conclude(
    network: KernelNet,
    models: Models,
    patches: torch.Tensor,
    looks: Looks,
    losses: list[torch.Tensor],
    seconds: dict[str, float],
    options: Options,
    say: Progress,
) -> KernelEstimate:
    """One kernel from a photo's patches and the looks at them."""
    looked, alike = fuse(looks.kernels)[0], looks.alike
    if options.steps > 1:
        with timed(seconds, "sample"):
            guide = Guide(models.solver, patches, options.samples)
            samples = sample_kernels(
                network,
                patches,
                looked,
                make_schedule(options.schedule),
                guide,
                options,
                torch.Generator().manual_seed(options.seed),
                lambda f: say("sample", f),
                losses.append,
            )
            looked, alike = fuse(_best(samples, guide, options.samples))
    best = Guide(models.solver, patches[:1])  # one patch, which bounds the time
    settled, from_camera = looked, False
    if options.settle > 0:
        with timed(seconds, "settle"):
            settled, from_camera = settle_as_needed(
                network, patches, looked, options, lambda f: say("settle", f)
            )
    refined = settled
    near: Near | None = None
    if options.refine_steps > 0 and not is_no_blur(settled[0, 0]):
        with timed(seconds, "refine"):
            refined, near = refine(best, settled, options.refine_steps, lambda f: say("refine", f))
    final = finished(refined)
    with timed(seconds, "judge"), torch.no_grad():
        restored = (near or best.near(final))(final)
        loss = best.left(restored, final)
        trust = float(confidence(models.judge, best, restored, final))
    kernel = final[0, 0]
    warnings = []
    if alike < _DISAGREEMENT and len(patches) > 1:
        warnings.append(DISAGREEMENT_WARNING)
    if trust < UNCERTAIN:
        warnings.append(f"{UNCERTAIN_WARNING} (confidence {trust:.2f}): look at the result")
    return KernelEstimate(
        kernel.cpu().numpy(),
        width(kernel),
        float(loss[0]),
        len(patches),
        seconds,
        warnings,
        torch.stack(losses, 1).tolist() if losses else [],
        confidence=trust,
        from_camera=from_camera,
    )


def _nothing() -> KernelEstimate:
    """Of a photo without edges."""
    return KernelEstimate(impulse().numpy(), 1, float("nan"), 0, warnings=[FLAT_WARNING], found=False)


def _find_as_published(
    network: KernelUNet, solver: Restorer, patches: torch.Tensor, options: Options, say: Progress
) -> KernelEstimate:
    """The published networks' own way to a kernel; see ``kdcli/engine/published.py``."""
    check_preset(options)
    generator = torch.Generator().manual_seed(options.seed)
    seconds: dict[str, float] = {}
    losses: list[torch.Tensor] = []
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


def _best(samples: torch.Tensor, guide: Guide, count: int) -> torch.Tensor:
    """The sample of each patch with the lowest reblurring loss: (N, ...) of (N * count, 1, 64, 64)."""
    if count == 1:
        return samples
    with torch.no_grad():
        best = guide.loss(samples).unflatten(0, (-1, count)).argmin(1)
    return samples.unflatten(0, (-1, count))[torch.arange(len(best), device=best.device), best]
