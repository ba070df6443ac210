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
from kdcli.blur.noise import is_sensor_noise, noise_level
from kdcli.engine.guidance import Guide
from kdcli.nets.parts import Progress

_HELD = 8  # steps for which the solver's first turn is held
_SPARSITY = 1e-3  # weight of the l1 term, relative to the logarithm of the loss
_SOFTENING = 1e-4  # of its square root: next to zero its slope would drown the loss's
_FIRST_STEP, _LEAST_STEP = 0.1, 1e-3  # as the ways to move measure them
_LONGER, _SHORTER = 1.5, 1 / 3  # after a step that lowers the loss, and after one that doesn't

_FAR = 6.0  # times the power of the noise: a kernel that leaves so much unexplained is far from the truth
_APPROACH = 3  # times as many steps at most as a kernel takes that is near
_MOST = 3.0  # by which the logarithm of a pixel changes in a step

Loss = Callable[[torch.Tensor], torch.Tensor]
Move = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
"""A kernel, the gradient there and a length to a kernel further down, not normalised."""


def refine(guide: Guide, kernel: torch.Tensor, steps: int, progress: Progress) -> torch.Tensor:
    """Gradient steps on the logarithm of the reblurring loss and an l1 term; none makes them rise.

    A kernel that leaves several times a sensor's noise is far from the truth. It is first led nearer by
    factors (mirror descent on the simplex; Kivinen and Warmuth, Information and Computation 1997), whose
    steps reach further, up to three times as many of them. Rounding alone is so little noise that good
    kernels leave many times it, too.

    Args:
        guide: of one patch.
        kernel: (1, 1, 64, 64), sum 1.
        progress: called with the fraction that is done.

    Returns:
        (1, 1, 64, 64), sum 1.
    """
    noise = noise_level(guide.y)
    if is_sensor_noise(noise):
        enough = _FAR * float(noise.square())
        kernel = _descend(guide, kernel, _APPROACH * steps, _by_factors, enough, lambda f: progress(f / 2))
    kernel = _descend(guide, kernel, steps, _by_differences, 0.0, lambda f: progress((1 + f) / 2))
    progress(1.0)
    return kernel


def _descend(
    guide: Guide, kernel: torch.Tensor, steps: int, move: Move, enough: float, progress: Progress
) -> torch.Tensor:
    """So many steps, or fewer where the loss is small enough or no step lowers it."""
    length = _FIRST_STEP
    for first in range(0, steps, _HELD):
        loss = guide.near(kernel)
        with torch.no_grad():
            if enough and float(loss(kernel)) <= enough:
                break
        kernel, value = _valued(loss, kernel)
        for number in range(first, min(first + _HELD, steps)):
            kernel, value, length = _step(loss, kernel, value, length, move)
            progress((number + 1) / steps)
            if length < _LEAST_STEP:
                return kernel.detach()
    return kernel.detach()


def _step(
    loss: Loss, kernel: torch.Tensor, value: torch.Tensor, length: float, move: Move
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """One step down, shortened until it is one: the kernel, its value, and the length to try next."""
    (gradient,) = torch.autograd.grad(value, kernel)
    while length >= _LEAST_STEP:
        tried, lower = _valued(loss, normalise(move(kernel.detach(), gradient, length)))
        if bool(lower < value):
            return tried, lower, length * _LONGER
        length *= _SHORTER
    return kernel, value, length


def _by_differences(kernel: torch.Tensor, gradient: torch.Tensor, length: float) -> torch.Tensor:
    """The largest change is ``length`` times the kernel's peak."""
    return kernel - length * gradient * (kernel.amax() / gradient.abs().amax().clamp(min=1e-12))


def _by_factors(kernel: torch.Tensor, gradient: torch.Tensor, length: float) -> torch.Tensor:
    """The mean change of the logarithm is ``length``, weighted by the kernel (sum 1); zeros stay zeros."""
    downhill = (gradient * kernel).sum() - gradient
    mean = (downhill.abs() * kernel).sum().clamp(min=1e-12)
    return kernel * (length * downhill / mean).clamp(-_MOST, _MOST).exp()


def _valued(loss: Loss, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A kernel and what is to be made small, with the way from one to the other."""
    with torch.enable_grad():
        kernel = kernel.detach().requires_grad_(True)
        k = normalise(kernel)  # along its scale, which is fixed, the loss may slope too
        # The l1 norm of a kernel of sum 1 is constant: the sparsity is that of its square root.
        sparsity = (k + _SOFTENING).sqrt().sum()
        return kernel, loss(k).clamp(min=1e-12).log().sum() + _SPARSITY * sparsity
