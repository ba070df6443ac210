"""The reblurring loss through the solver: guides the diffusion, leads the refinement, and judges kernels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.blur.noise import noise_level
from kdcli.nets.estimator import from_units
from kdcli.nets.solver import Observation, Solver

Restorer = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""F(y, k): photos (N, 3, H, W) and kernels (N, 1, 64, 64) to photos; our solver, or the published one."""

_MARGIN = KERNEL_SIZE // 2
_NEARLY = 0.99  # known: more doubt and the loss leads towards no blur, all of it takes the solver far longer


class Guide:
    """The loss ||y - k * F(y, k)||^2 of some patches (eq. 20).

    Only the pixels whose whole neighbourhood is inside the patch count: what lies outside is unknown.

    Args:
        patches: (N, 3, 256, 256); kernels come ``samples`` to a patch, next to each other.
    """

    def __init__(self, solver: Restorer, patches: torch.Tensor, samples: int = 1):
        self.solver = solver
        self.y = patches.repeat_interleave(samples, 0)
        self.seen = self.y[..., _MARGIN - 1 : -_MARGIN, _MARGIN - 1 : -_MARGIN]

    def loss(self, kernel: torch.Tensor) -> torch.Tensor:
        """Mean squared reblurring error (N,) of kernels (N, 1, 64, 64); differentiable in them."""
        losses = [
            _reblurred(self.solver(y, k), k, seen)
            for y, seen, k in zip(self.y.split(4), self.seen.split(4), kernel.split(4), strict=True)
        ]
        return torch.cat(losses)

    @torch.no_grad()
    def near(self, kernel: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """The loss for kernels near some (N, 1, 64, 64), which are taken to be all but known.

        Our solver's first turn is that of these kernels; only its second one follows those that are asked
        for, in less than half of the time.
        """
        if not isinstance(self.solver, Solver):
            return self.loss
        solver, y = self.solver, self.y
        noise, known = noise_level(y), solver.known(kernel, _NEARLY)
        start = Observation.of(y, kernel, known, noise)
        first = solver.first_turn(start, solver.deconvolve(start))

        def loss(k: torch.Tensor) -> torch.Tensor:
            restored = solver.second_turn(Observation.of(y, k, known, noise), [first])
            return _reblurred(restored, k, self.seen)

        return loss

    def log_gradient(self, k0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradient of log loss at kernels in diffusion units, scaled to a largest entry of 1; the loss.

        Of the logarithm, since eq. 33 divides the step by the loss.
        """
        with torch.enable_grad():
            k0 = k0.detach().requires_grad_(True)
            loss = self.loss(from_units(k0))
            (gradient,) = torch.autograd.grad(loss.clamp(min=1e-12).log().sum(), k0)
        return gradient / gradient.abs().amax((-3, -2, -1), keepdim=True).clamp(min=1e-12), loss.detach()


def _reblurred(restored: torch.Tensor, kernel: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Mean squared error (N,) of restored photos, blurred again, against what was seen."""
    return (convolve(restored, kernel, "valid") - seen).square().mean((1, 2, 3))
