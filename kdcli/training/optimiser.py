"""Muon for convolutions, Adam for the rest (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

PyTorch's own Muon takes matrices only, and almost all of our weights are convolutions: here they are
flattened to (out, in * height * width). Measured against AdamW in docs/experiments.md.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from kdcli.nets.precision import multiplies_bfloat16


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrix (rows, columns), nearly, by a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16() if multiplies_bfloat16(matrix.device) else matrix.float()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, for weights of two or more dimensions."""

    def __init__(self, params: Iterable[torch.Tensor], lr: float, momentum: float = 0.95, decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                ahead = weight.grad + group["momentum"] * momentum
                update = orthogonalise(ahead.reshape(len(ahead), -1)).reshape(weight.shape)
                # An update's root mean square is then that of Adam's, about 0.2 (Liu et al. 2025).
                scale = 0.2 * max(len(weight), weight[0].numel()) ** 0.5
                weight.mul_(1 - group["lr"] * group["decay"]).add_(update, alpha=-group["lr"] * scale)


def make_optimisers(network: torch.nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices and convolutions; Adam for norms, biases and scalars."""
    wanted = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
    inner = [p for n, p in wanted if p.ndim >= 2 and min(len(p), p[0].numel()) >= 16]
    chosen = {id(p) for p in inner}
    rest = [p for _, p in wanted if id(p) not in chosen]
    return [Muon(inner, lr=lr), torch.optim.Adam(rest, lr=lr, betas=(0.9, 0.98))]
