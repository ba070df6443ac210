"""Networks small enough to run in no time, with every weight awake."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdcli.nets.estimator import KernelNet
from kdcli.nets.solver import Solver


def awake(network: nn.Module, seed: int = 0) -> None:
    """Give random values to all weights, also to those that begin at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))


@pytest.fixture
def net() -> KernelNet:
    """A kernel estimator of 16 channels."""
    network = KernelNet(encoder=(16, 16, 16), denoiser=(16, 16, 16))
    awake(network)
    return network.eval().requires_grad_(False)


@pytest.fixture
def solver() -> Solver:
    """A solver of 8 channels, as it begins: its last layer at zero."""
    return Solver(widths=(8, 8, 8))
