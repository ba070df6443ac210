"""A kernel's last part: what the photo says about it beyond what the network knows.

The network's kernels have the right shape and are a little smooth. Ascents under the prior that keeps true
kernels make them as sharp as the photo has them. A kernel of few pixels has few unknowns, and is sought:
from the network's kernel and from nothing, network and ascents in turns; of both ends, the one that explains
the photo better is taken.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import width
from kdcli.blur.marginal import KEEPING, SEEKING, ascend, unexplained
from kdcli.blur.pyramid import EXTENT, climb
from kdcli.engine.estimate import noise_of_differences
from kdcli.engine.fuse import fuse
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise

# Levels of the ascents, in standard deviations of the photo.
_SOUGHT, _KEPT, _JUDGED = (0.1, 0.07), (0.05, 0.03), 0.05  # of small kernels
_LARGE = (0.03,) * 5
_HIDDEN = 1.5  # how much larger than it looks the noise is taken to be; for 3, see docs/experiments.md
_PATCHES = 2  # the best ones, which bounds the time
_ROUNDS = 2  # at each level


def is_small(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) is small enough to be searched for."""
    return width(kernel) <= EXTENT


@torch.no_grad()
def settle(network: KernelNet, patches: torch.Tensor, kernel: torch.Tensor, turns: int) -> torch.Tensor:
    """Make a kernel as sharp as the photo has it.

    Args:
        patches: (N, 3, 256, 256) of one photo, which share the kernel; the first two are looked at.
        kernel: (1, 1, 64, 64), sum 1.
        turns: of network and ascents in the search for small kernels; 0 leaves the search out.

    Returns:
        (1, 1, 64, 64), sum 1.
    """
    y = standardise(luminance(patches[:_PATCHES]))
    joint = y.transpose(0, 1)
    noise = _HIDDEN * noise_of_differences(joint)
    if turns > 0 and is_small(kernel[0, 0]):
        return _search(network, y, kernel, noise, turns)
    return ascend(joint, kernel, levels=_under(noise, _LARGE), rounds=_ROUNDS, power=KEEPING)


def _search(
    network: KernelNet, y: torch.Tensor, kernel: torch.Tensor, noise: torch.Tensor, turns: int
) -> torch.Tensor:
    joint = y.transpose(0, 1)
    both = joint.expand(2, -1, -1, -1)

    def likelier(kernels: torch.Tensor) -> torch.Tensor:
        kernels = ascend(both, kernels, levels=_under(noise, _SOUGHT), rounds=_ROUNDS, power=SEEKING)
        return ascend(both, kernels, levels=_under(noise, _KEPT), rounds=_ROUNDS, power=KEEPING)

    kernels = likelier(torch.cat([kernel, climb(joint, noise)]))
    for _ in range(turns):
        kernels = likelier(torch.cat([look_again(network, y, each) for each in kernels.split(1)]))
    (level,) = _under(noise, (_JUDGED,))
    return kernels[unexplained(both, kernels, level=level).argmin()][None]


def _under(noise: torch.Tensor, levels: tuple[float, ...]) -> list[torch.Tensor]:
    """Levels with the noise added to them."""
    return [(level**2 + noise.square()).sqrt() for level in levels]


@torch.no_grad()
def look_again(network: KernelNet, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """What the network makes of a kernel (1, 1, 64, 64): the same shape, from all patches.

    Args:
        y: (N, 1, 256, 256) standardised luminance.
    """
    return fuse(network.predict(y, kernel.expand(len(y), -1, -1, -1)))[0]
