"""The only door to the networks: ``load_models``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.paper.dwdn import DWDN
from kdcli.nets.paper.unet import KernelUNet
from kdcli.nets.solver import Solver
from kdcli.weights.architectures import ROLES, find_architecture
from kdcli.weights.locate import fetch, whose
from kdcli.weights.register import DEFAULT
from kdcli.weights.source import find_weights
from kdcli.weights.store import choose_device, fill


@dataclass(frozen=True)
class Models:
    """All networks, ready to run.

    Attributes:
        kernel, solver, judge: in evaluation mode on the device; their weights take no gradients.
        device: where they are.
        name: of the set of weights; one from the Hub has its commit in its name.
    """

    kernel: KernelNet | KernelUNet
    solver: Solver | DWDN
    judge: Judge
    device: torch.device
    name: str


def load_models(
    device: str = "auto", name: str = DEFAULT, progress: Callable[[str, float], None] | None = None
) -> Models:
    """Load a set of weights. The bundled network stands in for one that the set has none of.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N".
        name: a set in the register; a folder or a .safetensors file; or hf://OWNER/REPO[@REVISION].
        progress: called with a stage's name and the fraction of it that is done, where something has to be
            downloaded.

    Raises:
        UsageError: unknown weights, or a device that is not there.
        KdError: a file that is missing, damaged or not what it was registered as, or that cannot be fetched.
    """
    place = choose_device(device)
    weights = find_weights(name)
    networks = {}
    for role in ROLES:
        owner = whose(weights, role)
        network = find_architecture(owner.files[role].architecture).build()
        fill(network, fetch(owner, role, progress))
        network.eval().requires_grad_(False)
        networks[role] = network.to(place, memory_format=torch.channels_last)
    return Models(networks["kernel"], networks["solver"], networks["judge"], place, weights.name)
