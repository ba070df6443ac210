"""The reblurring loss through the solver: guides the diffusion, refines kernels, and judges them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.kernels import KERNEL_SIZE, normalise
from kdcli.engine.options import Options
from kdcli.nets.estimator import from_units

Restorer = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""F(y, k): photos (N, 3, H, W) and kernels (N, 1, 64, 64) to photos; our solver, or the published one."""

_SPARSITY = 1e-3  # weight of the l1 term of stage II, relative to the loss
_SOFTENING = 1e-4  # of its square root: next to zero its slope would drown the loss's
_FIRST_STEP = 0.1  # of stage II, in units of the kernel's peak
_MARGIN = KERNEL_SIZE // 2


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
        losses = []
        for y, seen, k in zip(self.y.split(4), self.seen.split(4), kernel.split(4), strict=True):
            restored = self.solver(y, k)
            losses.append((convolve(restored, k, "valid") - seen).square().mean((1, 2, 3)))
        return torch.cat(losses)

    def log_gradient(self, k0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradient of log loss at kernels in diffusion units, scaled to a largest entry of 1; the loss.

        Of the logarithm, since eq. 33 divides the step by the loss.
        """
        with torch.enable_grad():
            k0 = k0.detach().requires_grad_(True)
            loss = self.loss(from_units(k0))
            (gradient,) = torch.autograd.grad(loss.clamp(min=1e-12).log().sum(), k0)
        return gradient / gradient.abs().amax((-3, -2, -1), keepdim=True).clamp(min=1e-12), loss.detach()


def refine(
    guide: Guide, kernel: torch.Tensor, options: Options, progress: Callable[[float], None]
) -> torch.Tensor:
    """Stage II: gradient steps on the reblurring loss and an l1 term, halved whenever the loss rises.

    Args:
        kernel: (N, 1, 64, 64).

    Returns:
        (N, 1, 64, 64), no worse in loss than what came in.
    """
    step = torch.full((len(kernel), 1, 1, 1), _FIRST_STEP, device=kernel.device)

    def objective(k: torch.Tensor) -> torch.Tensor:
        # The l1 norm of a kernel of sum 1 is constant: the sparsity is that of its square root.
        sparsity = (k + _SOFTENING).sqrt().sum((1, 2, 3))
        return guide.loss(k).clamp(min=1e-12).log() + _SPARSITY * sparsity

    for number in range(options.refine_steps):
        progress((number + 1) / options.refine_steps)
        with torch.enable_grad():
            k = kernel.detach().requires_grad_(True)
            now = objective(normalise(k))  # along the scale of k, which is fixed, the loss may slope too
            (gradient,) = torch.autograd.grad(now.sum(), k)
        scale = kernel.amax((-2, -1), keepdim=True) / gradient.abs().amax((-2, -1), keepdim=True).clamp(
            min=1e-12
        )
        with torch.no_grad():
            tried = normalise(kernel - step * scale * gradient)
            better = (objective(tried) < now)[:, None, None, None]
            kernel = torch.where(better, tried, kernel)
            step = torch.where(better, step * 1.2, step / 2)
        if float(step.max()) < 1e-4:
            break
    return kernel
