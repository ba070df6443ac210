"""Stage I of the paper's Algorithm 1: samples of the guided diffusion over kernels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.engine.guidance import Guide
from kdcli.engine.options import Options
from kdcli.nets.estimator import KernelNet, from_units, luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.parts import Progress
from kdcli.nets.schedule import Schedule

Record = Callable[[torch.Tensor], None]


def sample_kernels(
    network: KernelNet,
    patches: torch.Tensor,
    start: torch.Tensor,
    schedule: Schedule,
    guide: Guide,
    options: Options,
    generator: torch.Generator,
    progress: Progress,
    record: Record = lambda _loss: None,
) -> torch.Tensor:
    """Guided reverse diffusion over the kernel.

    Args:
        patches: (N, C, 256, 256).
        start: (1, 1, 64, 64), the kernel with which the encoder reads the patches.
        record: called with the reblurring loss (N * samples,) of every step's k0, before guidance moves it,
            where there is guidance or ``options.residuals``.

    Returns:
        (N * samples, 1, 64, 64), the samples of a patch next to each other.
    """
    n = len(patches) * options.samples
    with torch.no_grad():
        condition, _ = network.encode(standardise(luminance(patches)), start.expand(len(patches), -1, -1, -1))
    condition = condition.repeat_interleave(options.samples, 0)
    k_t = normal_noise((n, *start.shape[1:]), generator, start.device)
    times = schedule.times(options.steps)
    k0 = k_t
    for index, time in enumerate(times):
        t = torch.full((n,), time, device=k_t.device)
        with torch.no_grad():
            k0 = network.denoise(k_t, t, condition).clamp(-1, 1)
        if options.guidance > 0:  # eq. 20, with the step size of eq. 33
            gradient, loss = guide.log_gradient(k0)
            k0 = (k0 - options.guidance * gradient).clamp(-1, 1)
            record(loss)
        elif options.residuals:
            with torch.no_grad():
                record(guide.loss(from_units(k0)))
        if index + 1 < len(times):
            after = torch.full_like(t, times[index + 1])
            k_t = reverse_step(schedule, k_t, k0, t, after, options.ancestral, generator)
        progress((index + 1) / len(times))
    return from_units(k0)


def reverse_step(
    schedule: Schedule,
    k_t: torch.Tensor,
    k0: torch.Tensor,
    t: torch.Tensor,
    after: torch.Tensor,
    ancestral: bool,
    generator: torch.Generator,
) -> torch.Tensor:
    """One reverse step: eq. 18 (DDPM, any stride) or DDIM's without noise (Song et al. 2021, eq. 12)."""
    noise = schedule.noise_from_k0(k_t, k0, t)
    now, then = schedule.at(t), schedule.at(after)
    variance = (1 - then) / (1 - now) * (1 - now / then) if ancestral else torch.zeros_like(now)
    direction = (1 - then - variance).clamp(min=0).sqrt() * noise
    fresh = normal_noise(k_t.shape, generator, k_t.device) if ancestral else 0.0
    return then.sqrt() * k0 + direction + variance.sqrt() * fresh


def normal_noise(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Normal noise drawn on the CPU, so that devices share it."""
    return torch.randn(shape, generator=generator).to(device)
