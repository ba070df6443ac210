"""Algorithm 1 as the paper's authors run it, with their networks: every step and constant is their code's.

It differs from our own way (``estimate.sample_kernels`` and ``guidance.refine``) in that

- the guidance moves k_{t-1}, by the slope of the loss at the clamped k_0, and the reverse step takes the k_0
  that is not clamped;
- the loss is the mean over the whole patch, blurred again with a mirrored border;
- stage II leaves the kernel where its last step led, and nothing moves the kernel to the middle.

The code was read in a public fork of the authors' repository (KnDellx/kernel-diff-eccv24, MIT licence);
the original and the paper's text on stage II were not at hand. Stage II's constants are that code's defaults,
as are the 1000 steps, the guidance of 0.1 and the 20 steps of stage II in the preset.
"""

from __future__ import annotations

import math

import torch

from kdcli.blur.convolve import convolve
from kdcli.engine.guidance import Restorer
from kdcli.engine.options import Options
from kdcli.engine.sample import Record, normal_noise, reverse_step
from kdcli.errors import UsageError
from kdcli.nets.estimator import from_units
from kdcli.nets.paper.unet import KernelUNet
from kdcli.nets.parts import Progress

FIRST_STEP = 1e3  # of stage II, in diffusion units
SPARSITY = 1e-4  # of stage II: weight of the mean of k + 1
_TOLERANCE = 1e-6  # by which the loss of stage II may rise, as a share of it


def check_preset(options: Options) -> None:
    """Make sure that the published method is what was asked for.

    Raises:
        UsageError: it is not.
    """
    if options.preset != "paper":
        raise UsageError(
            f"the published networks cannot do what the preset {options.preset} does: use --preset paper, "
            "with --steps N if 1000 take too long, or other weights"
        )
    if options.blur == "varying":
        raise UsageError("the published networks know one kernel only: use --blur uniform")


def sample_published(
    network: KernelUNet,
    solver: Restorer,
    patches: torch.Tensor,
    options: Options,
    generator: torch.Generator,
    progress: Progress,
    record: Record,
) -> torch.Tensor:
    """Stage I: guided reverse diffusion over the kernel (eqs. 18 to 20 and 33).

    Args:
        patches: (N, 3, 256, 256) in [0, 1].
        record: called with the reblurring loss (N * samples,) of every step's k_0, where there is guidance or
            ``options.residuals``.

    Returns:
        (N * samples, 1, 64, 64) in diffusion units, the samples of a patch next to each other.
    """
    y = patches.repeat_interleave(options.samples, 0)
    condition = network.condition(y)
    k_t = normal_noise((len(y), 1, 64, 64), generator, y.device)
    times = network.schedule.times(options.steps)
    for index, time in enumerate(times):
        t = torch.full((len(y),), time, device=y.device)
        with torch.no_grad():
            k0 = network.denoise(k_t, t, condition)
        last = index + 1 == len(times)
        after = t if last else torch.full_like(t, times[index + 1])
        k_t = k0 if last else reverse_step(network.schedule, k_t, k0, t, after, True, generator)
        if options.guidance > 0 or options.residuals:
            gradient, loss = slope(solver, y, k0.clamp(-1, 1))
            k_t = k_t - options.guidance / loss.clamp(min=1e-12)[:, None, None, None] * gradient
            record(loss)
        progress((index + 1) / len(times))
    return k_t


def refine_published(
    solver: Restorer, patches: torch.Tensor, k: torch.Tensor, steps: int, progress: Progress
) -> torch.Tensor:
    """Stage II: gradient steps on the loss and an l1 term; one that makes it rise is taken back and halved.

    Args:
        patches: (N, 3, 256, 256) in [0, 1].
        k: (N * samples, 1, 64, 64) in diffusion units, the samples of a patch next to each other.
        steps: for each.

    Returns:
        The kernels (N * samples, 1, 64, 64), sum 1.
    """
    y = patches.repeat_interleave(len(k) // len(patches), 0)
    refined = [
        _descend(solver, *both, steps, lambda f, done=done: progress((done + f) / len(k)))  # type: ignore[misc]
        for done, both in enumerate(zip(y.split(1), k.split(1), strict=True))
    ]
    return from_units(torch.cat(refined))


def slope(
    solver: Restorer, y: torch.Tensor, k: torch.Tensor, sparsity: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient, in diffusion units, of ||y - k * F(y, k)||^2 / pixels + sparsity |k + 1|_1 / pixels of k.

    Args:
        y: (N, 3, 256, 256) in [0, 1].
        k: (N, 1, 64, 64) in diffusion units.

    Returns:
        The gradient like k, and that sum (N,).
    """
    parts = [_slope(solver, *both, sparsity) for both in zip(y.split(1), k.split(1), strict=True)]
    gradients, losses = zip(*parts, strict=True)
    return torch.cat(gradients), torch.cat(losses)


@torch.enable_grad()
def _slope(
    solver: Restorer, y: torch.Tensor, k: torch.Tensor, sparsity: float
) -> tuple[torch.Tensor, torch.Tensor]:
    k = k.detach().requires_grad_(True)
    kernel = from_units(k)
    loss = (convolve(solver(y, kernel), kernel, "reflect") - y).square().mean((1, 2, 3))
    loss = loss + sparsity * (k + 1).abs().mean((1, 2, 3))
    (gradient,) = torch.autograd.grad(loss.sum(), k)
    return gradient, loss.detach()


def _descend(
    solver: Restorer, y: torch.Tensor, k: torch.Tensor, steps: int, progress: Progress
) -> torch.Tensor:
    step, taken, before = FIRST_STEP, 0, math.inf
    start, gradient = k, torch.zeros_like(k)  # of the last step
    while taken < steps:
        new_gradient, loss = slope(solver, y, k, SPARSITY)
        if float(loss) - before > _TOLERANCE * float(loss):
            step /= 2
        else:
            start, gradient, before = k, new_gradient, float(loss)
            taken += 1
            progress(taken / steps)
        k = start - step * gradient
    return k
