"""Blur kernels of patches: the posterior mean by repeated passes, or samples of the guided diffusion."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.kernels import normalise
from kdcli.engine.guidance import Guide
from kdcli.engine.options import Options
from kdcli.nets.estimator import KernelNet, expand_kernel, from_units, luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.schedule import Schedule

_COARSE_PASSES = 2
_AT_ONCE = 16  # patches in a batch, which bounds the memory

Progress = Callable[[float], None]


def turn(image: torch.Tensor, which: int) -> torch.Tensor:
    """One of the eight flips and quarter turns of square images (..., S, S)."""
    image = image.flip(-1) if which >= 4 else image
    return image.rot90(which % 4, (-2, -1))


def turn_back(kernel: torch.Tensor, which: int) -> torch.Tensor:
    """The kernel (..., K, K) of an image, from that of the image turned; the origin stays put.

    The first row and column have no mirror image about the origin and are left out.
    """
    inner = kernel[..., 1:, 1:].rot90(-(which % 4), (-2, -1))
    back = torch.zeros_like(kernel)
    back[..., 1:, 1:] = inner.flip(-1) if which >= 4 else inner
    return normalise(back)


def posterior_mean(
    network: KernelNet, patches: torch.Tensor, options: Options, progress: Progress
) -> torch.Tensor:
    """Kernels (N, 1, 64, 64) of patches (N, C, 256, 256): one-step predictions from pure noise.

    The prediction at the last time is E[k | y], the best guess in the sense of squared error. It is
    averaged over flips and turns of the patch, under which blur is as likely.
    """
    y = standardise(luminance(patches))
    turned = torch.cat([turn(y, which) for which in range(options.flips)])
    kernels = []
    groups = turned.split(_AT_ONCE)
    for number, group in enumerate(groups):
        kernel = expand_kernel(network.predict_coarse(group, _COARSE_PASSES))
        for index in range(options.passes):
            kernel = network.predict(group, kernel)
            progress((number + (index + 1) / options.passes) / len(groups))
        kernels.append(kernel)
    parts = torch.cat(kernels).split(len(y))
    return normalise(sum(turn_back(k, which) for which, k in enumerate(parts)))  # type: ignore[arg-type]


def sample_kernels(
    network: KernelNet,
    patches: torch.Tensor,
    start: torch.Tensor,
    schedule: Schedule,
    guide: Guide,
    options: Options,
    generator: torch.Generator,
    progress: Progress,
) -> torch.Tensor:
    """Stage I of the paper's Algorithm 1: guided reverse diffusion over the kernel.

    Args:
        patches: (N, C, 256, 256).
        start: (N, 1, 64, 64), the kernels with which the encoder reads the patches.

    Returns:
        (N * samples, 1, 64, 64), the samples of a patch next to each other.
    """
    n = len(patches) * options.samples
    with torch.no_grad():
        condition, _ = network.encode(standardise(luminance(patches)), start)
    condition = condition.repeat_interleave(options.samples, 0)
    k_t = _noise((n, *start.shape[1:]), generator, start.device)
    times = schedule.times(options.steps)
    k0 = k_t
    for index, time in enumerate(times):
        t = torch.full((n,), time, device=k_t.device)
        with torch.no_grad():
            k0 = network.denoise(k_t, t, condition).clamp(-1, 1)
        if options.guidance > 0:  # eq. 20, with the step size of eq. 33
            k0 = (k0 - options.guidance * guide.log_gradient(k0)).clamp(-1, 1)
        if index + 1 < len(times):
            after = torch.full_like(t, times[index + 1])
            k_t = _reverse(schedule, k_t, k0, t, after, options.ancestral, generator)
        progress((index + 1) / len(times))
    return from_units(k0)


def _reverse(
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
    fresh = _noise(k_t.shape, generator, k_t.device) if ancestral else 0.0
    return then.sqrt() * k0 + direction + variance.sqrt() * fresh


def _noise(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Normal noise drawn on the CPU, so that devices share it."""
    return torch.randn(shape, generator=generator).to(device)
