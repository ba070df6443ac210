"""Blur kernels of patches: network and likelihood in turns, or samples of the guided diffusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch

from kdcli.blur.kernels import KERNEL_SIZE, impulse, normalise
from kdcli.blur.marginal import ascend
from kdcli.blur.noise import is_sensor_noise, noise_floor, noise_level
from kdcli.engine.guidance import Guide
from kdcli.engine.options import Options
from kdcli.nets.estimator import KernelNet, expand_kernel, from_units, luminance, reduce_image
from kdcli.nets.lagspace import standardise
from kdcli.nets.parts import Progress
from kdcli.nets.schedule import Schedule

# What the kernels leave unexplained, in standard deviations of the photo.
LEVEL = 0.1
_HIDDEN = 3.0  # how much larger than it looks the noise is taken to be: JPEG hides it
_AT_ONCE = {"cpu": 16, "cuda": 128}  # patches in a batch, which bounds the memory

Record = Callable[[torch.Tensor], None]


def turn(image: torch.Tensor, which: int) -> torch.Tensor:
    """One of the eight flips and quarter turns of square images (..., S, S)."""
    image = image.flip(-1) if which >= 4 else image
    return image.rot90(which % 4, (-2, -1))


def turn_kernel(kernel: torch.Tensor, which: int) -> torch.Tensor:
    """The kernel (..., K, K) of an image turned, from that of the image; the origin stays put.

    The first row and column have no mirror image about the origin and are left out.
    """
    turned = torch.zeros_like(kernel)
    turned[..., 1:, 1:] = turn(kernel[..., 1:, 1:], which)
    return normalise(turned)


def turns_of(patches: torch.Tensor, looks: int) -> int:
    """In how many flips and quarter turns patches (N, ...) make so many looks or more: 1 to 8."""
    return min(-(-looks // len(patches)), 8)


def turn_back(kernel: torch.Tensor, which: int) -> torch.Tensor:
    """The kernel (..., K, K) of an image, from that of the image turned."""
    return turn_kernel(kernel, which if which >= 4 else -which % 4)  # a flip undoes itself, turned or not


@torch.no_grad()
def alternate(network: KernelNet, y: torch.Tensor, coarse: int = 3, fine: int = 3) -> Iterator[torch.Tensor]:
    """Network and likelihood in turns: a pass knows what kernels look like, an ascent what the photo says.

    The network's one-step prediction from pure noise is E[k | y, the kernel so far]; the ascent is on the
    marginal likelihood p(y | k) (``kdcli.blur.marginal``). First at half the scale, then at the whole.

    Args:
        y: (N, 1, H, W) standardised luminance.
        coarse, fine: turns at either scale.

    Yields:
        (N, 1, 64, 64): the kernels at the whole scale, after every pass and every ascent; a pass is the last.
    """
    half = reduce_image(y)
    kernel = impulse(KERNEL_SIZE // 2).to(y.device).expand(len(y), 1, -1, -1)
    coarse_level, fine_level = levels(y)
    for _ in range(coarse):
        kernel = ascend(half, network.predict(half, kernel), level=coarse_level)
    kernel = expand_kernel(kernel)
    for turn in range(fine):
        if turn > 0:
            kernel = ascend(y, kernel, level=fine_level)
            yield kernel
        kernel = network.predict(y, kernel)
        yield kernel


def levels(y: torch.Tensor) -> list[torch.Tensor]:
    """What kernels must leave unexplained at half the scale and at the whole: (N, 1, 1, 1) each."""
    noise = _HIDDEN * noise_of_differences(y)
    # A 2x2 average has half of the noise.
    return [beside_noise(LEVEL, each) for each in (noise / 2, noise)]


def beside_noise(level: float, noise: torch.Tensor) -> torch.Tensor:
    """The standard deviation of what a kernel leaves unexplained and of the noise (N, 1, 1, 1) together."""
    return (level**2 + noise.square()).sqrt()


def noise_of_differences(y: torch.Tensor) -> torch.Tensor:
    """The standard deviation of the noise in the difference of two pixels, which has both's: (N, 1, 1, 1)."""
    return 2**0.5 * noise_floor(y)


def estimate_kernels(
    network: KernelNet,
    patches: Sequence[torch.Tensor],
    options: Options,
    progress: Progress,
    record: Record = lambda _kernels: None,
) -> list[torch.Tensor]:
    """Look at the patches of photos ``options.looks`` times or more: as they are, then flipped and turned.

    Args:
        patches: (N, C, 256, 256) of each photo; the networks look at those of all photos at once.
        record: called with the kernels of all patches as they are, after every pass and every ascent.

    Returns:
        (L, 1, 64, 64) for each photo, L a multiple of its N: the kernels of all looks, those of the patches
        as they are first.
    """
    photos = [standardise(luminance(own)) for own in patches]
    fine = [options.fine + options.noisy_fine * has_sensor_noise(own) for own in patches]
    views = sorted(  # those that take the same turns go together
        (fine[i], which, i) for i, own in enumerate(photos) for which in range(turns_of(own, options.looks))
    )
    batches: list[tuple[int, torch.Tensor]] = []
    for turns, group in groupby(views, key=lambda view: view[0]):
        together = torch.cat([turn(photos[i], which) for _, which, i in group])
        batches += [(turns, batch) for batch in together.split(_AT_ONCE[together.device.type])]
    upright = sum(map(len, photos))
    kernels = []
    for number, (turns, batch) in enumerate(batches):
        kernel = batch
        for index, kernel in enumerate(alternate(network, batch, options.coarse, turns)):
            if number == 0:
                record(kernel[:upright])
            progress((number + (index + 1) / (2 * turns - 1)) / len(batches))
        kernels.append(kernel)
    parts = torch.cat(kernels).split([len(photos[i]) for *_, i in views])
    looks: list[list[torch.Tensor]] = [[] for _ in photos]
    for (_, which, i), part in zip(views, parts, strict=True):
        looks[i].append(turn_back(part, which))
    return [torch.cat(own) for own in looks]


def has_sensor_noise(patches: torch.Tensor) -> bool:
    """Whether a photo has a sensor's noise, by the best, the first, of its patches (N, 3, H, W)."""
    return bool(is_sensor_noise(noise_level(patches[:1])))


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
    """Stage I of the paper's Algorithm 1: guided reverse diffusion over the kernel.

    Args:
        patches: (N, C, 256, 256).
        start: (N, 1, 64, 64), the kernels with which the encoder reads the patches.
        record: called with the reblurring loss (N * samples,) of every step's k0, before guidance moves it,
            where there is guidance or ``options.residuals``.

    Returns:
        (N * samples, 1, 64, 64), the samples of a patch next to each other.
    """
    n = len(patches) * options.samples
    with torch.no_grad():
        condition, _ = network.encode(standardise(luminance(patches)), start)
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
