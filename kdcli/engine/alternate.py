"""Network and likelihood in turns: a pass knows what kernels look like, an ascent what the photo says."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from kdcli.blur.kernels import KERNEL_SIZE, impulse
from kdcli.blur.marginal import ascend
from kdcli.blur.noise import noise_floor
from kdcli.nets.estimator import KernelNet, expand_kernel, reduce_image

# What the kernels leave unexplained, in standard deviations of the photo.
LEVEL = 0.1
_HIDDEN = 3.0  # how much larger than it looks the noise is taken to be: JPEG hides it


@torch.no_grad()
def alternate(network: KernelNet, y: torch.Tensor, coarse: int = 3, fine: int = 3) -> Iterator[torch.Tensor]:
    """From a photo to its kernel, at half the scale and then at the whole.

    The network's one-step prediction from pure noise is E[k | y, the kernel so far]; the ascent is on the
    marginal likelihood p(y | k) (``kdcli.blur.marginal``).

    Args:
        y: (N, 1, H, W) standardised luminance.
        coarse, fine: turns at either scale.

    Yields:
        (N, 1, 64, 64): the kernels at the whole scale, after every pass and every ascent; a pass is the last.
    """
    yield from alternate_fine(network, y, alternate_coarse(network, y, coarse), fine)


@torch.no_grad()
def alternate_coarse(network: KernelNet, y: torch.Tensor, turns: int) -> torch.Tensor:
    """So many turns at half the scale, from nothing: kernels (N, 1, 64, 64), expanded to the whole."""
    half = reduce_image(y)
    level, _ = levels(y)
    kernel = impulse(KERNEL_SIZE // 2).to(y.device).expand(len(y), 1, -1, -1)
    for _ in range(turns):
        kernel = ascend(half, network.predict(half, kernel), level=level)
    return expand_kernel(kernel)


@torch.no_grad()
def alternate_fine(
    network: KernelNet, y: torch.Tensor, kernel: torch.Tensor, turns: int
) -> Iterator[torch.Tensor]:
    """So many turns at the whole scale, from kernels (N, 1, 64, 64); yields what ``alternate`` does."""
    _, level = levels(y)
    for number in range(turns):
        if number > 0:
            kernel = ascend(y, kernel, level=level)
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
