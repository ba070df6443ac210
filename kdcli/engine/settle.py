"""A kernel's last part: what the photo says about it beyond what the network knows.

The network's kernels have the right shape and are a little smooth. Ascents on the likelihood make them as
sharp as the photo has them. The network, shown such a kernel, sees more of what is wrong with it than it
did before, and the next ascents begin nearer to the truth.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import centred_exactly, without_specks
from kdcli.blur.marginal import ascend
from kdcli.blur.noise import noise_level
from kdcli.blur.path import linked
from kdcli.blur.softness import is_fatter
from kdcli.blur.turns import turn_kernel, turned, turned_back
from kdcli.engine.alternate import beside_noise, noise_of_differences
from kdcli.engine.estimate import has_sensor_noise, turns_of
from kdcli.engine.fuse import fuse
from kdcli.engine.options import Options
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.parts import Progress

_LEVEL = 0.015  # in standard deviations of the photo
_ROUNDS = 10
_HIDDEN = 1.5  # how much larger than it looks the noise is taken to be
_SOFTNESS = 0.5  # pixels: that of photos made smaller and of a camera's, nearly
_PATCHES = 2  # the best ones, which bounds the time
_FAT = 0.45  # pixels: the fatness above which a kernel is no camera's path alone


def settle_as_needed(
    network: KernelNet,
    patches: torch.Tensor,
    kernel: torch.Tensor,
    options: Options,
    progress: Progress,
) -> tuple[torch.Tensor, bool]:
    """Make a kernel as sharp as the photo has it, so often as its fatness and the photo's noise ask for.

    Args:
        patches: (N, 3, 256, 256) of one photo.
        kernel: (1, 1, 64, 64), sum 1.
        progress: called with the fraction that is done.

    Returns:
        (1, 1, 64, 64), sum 1, and whether the photo is straight from a camera.
    """
    kernel = settle(patches, kernel)
    fat = is_fat(kernel)
    from_camera = fat and has_sensor_noise(patches)
    if from_camera:
        # The first time didn't know how loud its noise is, and may have lost parts of its path.
        for _ in range(2):
            kernel = settle(patches, linked(finished(kernel)), from_camera)
    elif fat:
        kernel = settle(patches, finished(kernel))
    else:  # looks make fat kernels worse
        y = standardise(luminance(patches))
        for number in range(1, options.settle):
            progress(number / options.settle)
            again = look_again(network, y, finished(kernel), turns_of(patches, options.looks))
            kernel = settle(patches, again)
    progress(1.0)
    return kernel, from_camera


@torch.no_grad()
def settle(patches: torch.Tensor, kernel: torch.Tensor, from_camera: bool = False) -> torch.Tensor:
    """Make a kernel as sharp as the photo has it.

    Args:
        patches: (N, 3, 256, 256) of one photo, which share the kernel; the first two are looked at.
        kernel: (1, 1, 64, 64), sum 1.
        from_camera: whether the photo is straight from a camera, whose noise is louder than it looks.

    Returns:
        (1, 1, 64, 64), sum 1.
    """
    y = standardise(luminance(patches[:_PATCHES])).transpose(0, 1)
    noise = _HIDDEN * noise_of_differences(y) * _coarseness(patches[:1], kernel, from_camera)
    return ascend(y, kernel, level=beside_noise(_LEVEL, noise), rounds=_ROUNDS, softness=_SOFTNESS)


def _coarseness(patch: torch.Tensor, kernel: torch.Tensor, from_camera: bool) -> torch.Tensor:
    """How many times as loud as it looks the noise is where the kernel shows it: (1, 1, 1, 1)."""
    return noise_level(patch, kernel, known=False, from_camera=from_camera) / noise_level(patch)


def is_fat(kernel: torch.Tensor) -> bool:
    """Whether a kernel (1, 1, 64, 64) is fatter than the path of a camera: it is wrong, or the photo soft."""
    return bool(is_fatter(finished(kernel), _FAT))


def finished(kernel: torch.Tensor) -> torch.Tensor:
    """Kernels (N, 1, 64, 64) as they are given away: without weak specks, centres of mass at the origin."""
    return centred_exactly(without_specks(kernel))


@torch.no_grad()
def look_again(network: KernelNet, y: torch.Tensor, kernel: torch.Tensor, turns: int = 1) -> torch.Tensor:
    """What the network makes of a kernel (1, 1, 64, 64): the same shape, from all patches, so often turned.

    Args:
        y: (N, 1, 256, 256) standardised luminance.
        turns: 1 to 8, the first ones of the flips and quarter turns in which the network sees each patch.
    """
    shown = torch.cat([turn_kernel(kernel, which).expand(len(y), -1, -1, -1) for which in range(turns)])
    return fuse(turned_back(network.predict(turned(y, turns), shown), turns))[0]
