"""The reblurring loss through the solver: guides the diffusion, leads the refinement, and judges kernels."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from kdcli.blur.convolve import convolve
from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.blur.noise import noise_level
from kdcli.nets.estimator import from_units
from kdcli.nets.solver import Observation, Solver

Restorer = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""F(y, k): photos (N, 3, H, W) and kernels (N, 1, 64, 64) to photos; our solver, or the published one."""

Near = Callable[[torch.Tensor], torch.Tensor]
"""The solver for some photos and kernels (N, 1, 64, 64) near those that it was made for."""

_MARGIN = KERNEL_SIZE // 2
_CONTRAST = 0.75  # share of the logarithm of the contrast that goes off that of the loss
_NOISE = 0.3  # share of the power of the noise that counts as left in any case
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
        self.noise = noise_level(self.y)
        self.seen = self.y[..., _MARGIN - 1 : -_MARGIN, _MARGIN - 1 : -_MARGIN]

    def loss(self, kernel: torch.Tensor) -> torch.Tensor:
        """Mean squared reblurring error (N,) of kernels (N, 1, 64, 64); differentiable in them."""
        losses = [
            _left(self.solver(y, k), k, seen)
            for y, seen, k in zip(self.y.split(4), self.seen.split(4), kernel.split(4), strict=True)
        ]
        return torch.cat(losses)

    @torch.no_grad()
    def near(self, kernel: torch.Tensor) -> Near:
        """The solver F(y, k) for kernels k near some (N, 1, 64, 64), which are taken to be all but known.

        Our solver's first turn is that of these kernels; only its second one follows those that are asked
        for, in less than half of the time.
        """
        if not isinstance(self.solver, Solver):
            return lambda k: self.solver(self.y, k)
        solver, y = self.solver, self.y
        noise, known = self.noise, solver.known(kernel, _NEARLY)
        start = Observation.of(y, kernel, known, noise)
        first = solver.first_turn(start, solver.deconvolve(start))
        return lambda k: solver.second_turn(Observation.of(y, k, known, noise), [first])

    def left(self, restored: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """The loss (N,) of photos (N, 3, H, W) restored with kernels (N, 1, 64, 64)."""
        return _left(restored, kernel, self.seen)

    def residual(self, restored: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """What photos (N, 3, H, W), restored and blurred again, leave of the patches; 0 at their borders."""
        inside = _unexplained(restored, kernel, self.seen)
        return F.pad(inside, (_MARGIN - 1, _MARGIN, _MARGIN - 1, _MARGIN))

    def log_loss(self, restored: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """The logarithm of the loss, some noise included, less a share of that of the contrast: (N,).

        The loss alone falls towards no blur, whose restoration is the photo itself: kernels that are too thin
        or lack a part leave less of a photo than the true one does. But they restore less contrast, the root
        mean square of the gradients (docs/experiments.md).

        Args:
            restored: (N, 3, H, W), photos restored with kernels (N, 1, 64, 64).
        """
        left = self.left(restored, kernel) + _NOISE * self.noise.flatten().square()
        inner = restored[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].mean(1, keepdim=True)
        contrast = inner.diff(dim=-1).square().mean((1, 2, 3)) + inner.diff(dim=-2).square().mean((1, 2, 3))
        return left.log() - _CONTRAST / 2 * contrast.clamp(min=1e-12).log()

    def log_gradient(self, k0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradient of log loss at kernels in diffusion units, scaled to a largest entry of 1; the loss.

        Of the logarithm, since eq. 33 divides the step by the loss.
        """
        with torch.enable_grad():
            k0 = k0.detach().requires_grad_(True)
            loss = self.loss(from_units(k0))
            (gradient,) = torch.autograd.grad(loss.clamp(min=1e-12).log().sum(), k0)
        return gradient / gradient.abs().amax((-3, -2, -1), keepdim=True).clamp(min=1e-12), loss.detach()


def _left(restored: torch.Tensor, kernel: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Mean squared error (N,) of restored photos, blurred again, against what was seen."""
    return _unexplained(restored, kernel, seen).square().mean((1, 2, 3))


def _unexplained(restored: torch.Tensor, kernel: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """The same error at every pixel whose whole neighbourhood is seen."""
    return seen - convolve(restored, kernel, "valid")
