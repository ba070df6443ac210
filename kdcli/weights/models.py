"""The only door to the networks: ``load_models``."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kdcli.errors import UsageError
from kdcli.nets.estimator import KernelNet
from kdcli.nets.solver import Solver
from kdcli.weights.register import DEFAULT, WeightsFile, WeightsSet, locate, read_register, verify
from kdcli.weights.store import choose_device, fill


@dataclass(frozen=True)
class Models:
    """Both networks, ready to run.

    Attributes:
        kernel, solver: in evaluation mode on the device; their weights take no gradients.
        device: where they are.
        name: of the set of weights.
    """

    kernel: KernelNet
    solver: Solver
    device: torch.device
    name: str


def load_models(device: str = "auto", name: str = DEFAULT) -> Models:
    """Load a set of weights.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N".
        name: a set in the register.

    Raises:
        UsageError: an unknown set, or a device that is not there.
        KdError: a file that is missing or damaged.
    """
    place = choose_device(device)
    register = read_register()
    if name not in register:
        raise UsageError(f"unknown weights {name!r}: choose one of {', '.join(register)}")
    weights = register[name]
    kernel, solver = KernelNet(), Solver()
    _fill(kernel, weights, weights.kernel, place)
    _fill(solver, weights, weights.solver, place)
    return Models(kernel, solver, place, name)


def _fill(network: torch.nn.Module, weights: WeightsSet, entry: WeightsFile, device: torch.device) -> None:
    path = locate(weights, entry)
    verify(path, entry)
    fill(network, path)
    network.eval().requires_grad_(False)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
