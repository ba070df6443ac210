"""Stage II of the paper's Algorithm 1: kernels go down the reblurring loss, with the solver held near by.

The likelihood on which kernels have settled knows sparse gradients only; the solver has learned what photos
look like. Down its loss alone kernels would go on past the truth, towards no blur: what they lose of the
restored photo's contrast is held against them (``Guide.log_loss``).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.kernels import normalise
from kdcli.engine.guidance import Guide, Near
from kdcli.nets.parts import Progress

_HELD = 8  # steps for which the solver's first turn is held
_SPARSITY = 1e-3  # weight of the l1 term, relative to the logarithm of the loss
_SOFTENING = 1e-4  # of its square root: next to zero its slope would drown the loss's
_FIRST_STEP, _LEAST_STEP = 0.03, 1e-3  # the largest change of a pixel, relative to the kernel's peak
_LONGER = 1.3  # after a step that lowers the loss
_SHORTER = 0.1, 0.5  # between these after one that doesn't, by the parabola through what is known

Loss = Callable[[torch.Tensor], torch.Tensor]


def refine(guide: Guide, kernel: torch.Tensor, steps: int, progress: Progress) -> tuple[torch.Tensor, Near]:
    """Gradient steps on the logarithm of the loss and an l1 term; none makes them rise.

    Args:
        guide: of one patch.
        kernel: (1, 1, 64, 64), sum 1.
        steps: one or more.
        progress: called with the fraction that is done.

    Returns:
        (1, 1, 64, 64), sum 1, and the solver near it.
    """
    length = _FIRST_STEP
    for number in range(steps):
        if number % _HELD == 0:
            near = guide.near(kernel)
            loss = _loss(guide, near)
            kernel, value = _valued(loss, kernel)
        kernel, value, length = _step(loss, kernel, value, length)
        progress((number + 1) / steps)
        if length < _LEAST_STEP:  # none lowers the loss
            break
    progress(1.0)
    return kernel.detach(), near


def _loss(guide: Guide, near: Near) -> Loss:
    """What is to be made small."""

    def loss(k: torch.Tensor) -> torch.Tensor:
        # The l1 norm of a kernel of sum 1 is constant: the sparsity is that of its square root.
        return guide.log_loss(near(k), k).sum() + _SPARSITY * (k + _SOFTENING).sqrt().sum()

    return loss


def _step(
    loss: Loss, kernel: torch.Tensor, value: torch.Tensor, length: float
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """One step down, shortened until it is one: the kernel, its value, and the length to try next."""
    (gradient,) = torch.autograd.grad(value, kernel)
    change = gradient * (kernel.detach().amax() / gradient.abs().amax().clamp(min=1e-12))
    slope = (gradient * change).sum()
    while length >= _LEAST_STEP:
        tried, lower = _valued(loss, normalise(kernel.detach() - length * change))
        rise = (lower - value).detach()
        if bool(rise < 0):
            return tried, lower, length * _LONGER
        least, most = _SHORTER
        part = float(slope * length / (2 * (rise + slope * length)))
        length *= min(most, max(least, part))  # in this order: the least, too, where it is no number
    return kernel, value, length


def _valued(loss: Loss, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A kernel and its loss, with the way from one to the other."""
    with torch.enable_grad():
        kernel = kernel.detach().requires_grad_(True)
        return kernel, loss(normalise(kernel))  # along its scale, which is fixed, the loss may slope too
