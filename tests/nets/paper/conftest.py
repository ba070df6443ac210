"""Weights that no layer leaves without a trace."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def randomise(network: nn.Module) -> nn.Module:
    """Fixed random weights and biases, those of norms too, of the size that keeps signals in range."""
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim > 1:
            value.copy_(noise / value[0].numel() ** 0.5)
        else:
            value.copy_(0.1 * noise + (not name.endswith("bias")))
    return network.eval().requires_grad_(False)


def digest(network: nn.Module) -> str:
    """A sum of all names and shapes, in the order of the state dict."""
    lines = "".join(f"{name} {list(value.shape)}\n" for name, value in network.state_dict().items())
    return hashlib.sha256(lines.encode()).hexdigest()


class State(dict[str, torch.Tensor]):
    """A state dict that notes what was looked at."""

    def __init__(self, network: nn.Module):
        super().__init__(network.state_dict())
        self.left = set(self)

    def __getitem__(self, name: str) -> torch.Tensor:
        self.left.discard(name)
        return super().__getitem__(name)
