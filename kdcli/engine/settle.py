"""Small kernels once more, by long ascents on the likelihood.

A kernel of few pixels has few unknowns, and the photo says more about them than a network trained on kernels
of all sizes. Two searches, from the network's kernel and from nothing, end in kernels that explain the photo
more or less well.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import width
from kdcli.blur.marginal import anneal, unexplained
from kdcli.blur.pyramid import EXTENT, climb
from kdcli.engine.estimate import noise_of_differences
from kdcli.engine.fuse import fuse
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise

_LEVELS = (0.1, 0.07, 0.05, 0.03)  # of the ascents, in standard deviations of the photo
_HIDDEN = 1.5  # how much larger than it looks the noise is taken to be; for 3, see docs/experiments.md
_PATCHES = 2  # the best ones, which bounds the time
_ROUNDS = 2  # at each of them


def is_small(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) is small enough to be settled."""
    return width(kernel) <= EXTENT


@torch.no_grad()
def settle(network: KernelNet, patches: torch.Tensor, kernel: torch.Tensor, turns: int) -> torch.Tensor:
    """Search from a kernel and from nothing, and take what explains the patches better.

    Args:
        patches: (N, C, 256, 256) of one photo, which share the kernel; the first two are searched.
        kernel: (1, 1, 64, 64), sum 1.
        turns: of network and ascents, after the first ascents.

    Returns:
        (1, 1, 64, 64), sum 1.
    """
    y = standardise(luminance(patches[:_PATCHES]))
    joint = y.transpose(0, 1)
    noise = _HIDDEN * noise_of_differences(joint)
    levels = [(level**2 + noise.square()).sqrt() for level in _LEVELS]
    kernels = torch.cat([kernel, climb(joint, noise)])
    both = joint.expand(2, -1, -1, -1)
    kernels = anneal(both, kernels, levels, rounds=_ROUNDS)
    for _ in range(turns):
        kernels = torch.cat([_seen(network, y, each) for each in kernels.split(1)])
        kernels = anneal(both, kernels, levels, rounds=_ROUNDS)
    return kernels[unexplained(both, kernels, level=levels[0]).argmin()][None]


def _seen(network: KernelNet, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """What the network makes of a kernel: (1, 1, 64, 64), from all patches."""
    return fuse(network.predict(y, kernel.expand(len(y), -1, -1, -1)))[0]
