"""Stage II of the paper's Algorithm 1: kernels go down the reblurring loss, with the solver held near by.

Kernels that the likelihood has settled on can be far from the truth, above all those of soft photos: it takes
the softness for a part of the blur, and no more of its rounds find out. The solver, which has learned what
photos look like, knows better: on the way down its loss such kernels become thinner and truer. Kernels that
are right already gain nothing and may be led away, towards no blur at all, where the loss is least. So, by
default, only those are refined that are fatter than a camera's path, in photos with a sensor's noise: others
were made smaller, or made altogether, and are not soft (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.kernels import normalise
from kdcli.blur.noise import noise_level
from kdcli.engine.guidance import Guide
from kdcli.nets.parts import Progress
from kdcli.nets.solver import is_sensor_noise

_HELD = 8  # steps for which the solver's first turn is held
_SPARSITY = 1e-3  # weight of the l1 term, relative to the logarithm of the loss
_SOFTENING = 1e-4  # of its square root: next to zero its slope would drown the loss's
_FIRST_STEP, _LEAST_STEP = 0.1, 1e-3  # in units of the kernel's peak
_LONGER, _SHORTER = 1.5, 1 / 3  # after a step that lowers the loss, and after one that doesn't

Loss = Callable[[torch.Tensor], torch.Tensor]


def is_from_camera(patches: torch.Tensor) -> bool:
    """Whether a photo is straight from a camera, by the noise of the best, the first, of its (N, 3, H, W)."""
    return bool(is_sensor_noise(noise_level(patches[:1])))


def refine(guide: Guide, kernel: torch.Tensor, steps: int, progress: Progress) -> torch.Tensor:
    """Gradient steps on the logarithm of the reblurring loss and an l1 term; none makes them rise.

    Args:
        guide: of one patch.
        kernel: (1, 1, 64, 64), sum 1.
        progress: called with the fraction that is done.

    Returns:
        (1, 1, 64, 64), sum 1.
    """
    length = _FIRST_STEP
    for first in range(0, steps, _HELD):
        loss = guide.near(kernel)
        kernel, value = _valued(loss, kernel)
        for number in range(first, min(first + _HELD, steps)):
            kernel, value, length = _step(loss, kernel, value, length)
            progress((number + 1) / steps)
            if length < _LEAST_STEP:
                progress(1.0)
                return kernel.detach()
    return kernel.detach()


def _step(
    loss: Loss, kernel: torch.Tensor, value: torch.Tensor, length: float
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """One step down, shortened until it is one: the kernel, its value, and the length to try next."""
    (gradient,) = torch.autograd.grad(value, kernel)
    direction = gradient * (kernel.detach().amax() / gradient.abs().amax().clamp(min=1e-12))
    while length >= _LEAST_STEP:
        tried, lower = _valued(loss, normalise(kernel.detach() - length * direction))
        if bool(lower < value):
            return tried, lower, length * _LONGER
        length *= _SHORTER
    return kernel, value, length


def _valued(loss: Loss, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A kernel and what is to be made small, with the way from one to the other."""
    with torch.enable_grad():
        kernel = kernel.detach().requires_grad_(True)
        k = normalise(kernel)  # along its scale, which is fixed, the loss may slope too
        # The l1 norm of a kernel of sum 1 is constant: the sparsity is that of its square root.
        sparsity = (k + _SOFTENING).sqrt().sum()
        return kernel, loss(k).clamp(min=1e-12).log().sum() + _SPARSITY * sparsity
