"""The one table of architectures: what a weights file is for, and which network it goes into."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from kdcli.errors import KdError

ROLES = ("kernel", "solver", "judge")
"""What a set of weights is made of: networks that estimate kernels, restore photos, and doubt kernels."""


@dataclass(frozen=True)
class Architecture:
    """A network whose weights other people may have.

    Attributes:
        role: one of ``ROLES``.
        module, constructor: what builds it, without arguments; by name, so that nobody needs torch to read
            a register.
    """

    role: str
    module: str
    constructor: str

    def build(self) -> Any:
        """The network, with untrained weights."""
        return getattr(import_module(self.module), self.constructor)()


# A change that makes older files unfit takes a new name; the old one stays for as long as it can be loaded.
ARCHITECTURES = {
    "kernel-2": Architecture("kernel", "kdcli.nets.estimator", "KernelNet"),
    "solver-5": Architecture("solver", "kdcli.nets.solver", "Solver"),
    "judge-1": Architecture("judge", "kdcli.nets.judge", "Judge"),
    "kernel-diff-1": Architecture("kernel", "kdcli.nets.paper.unet", "KernelUNet"),
    "dwdn-1": Architecture("solver", "kdcli.nets.paper.dwdn", "DWDN"),
}

_RETIRED = {"kernel-1": "0.4", "solver-1": "0.1", "solver-2": "0.3", "solver-3": "0.7", "solver-4": "0.8"}
"""Architectures that are gone, and the last version that knew them."""


def find_architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        KdError: there is none.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if name in _RETIRED:
        raise KdError(
            f"weights for {name!r} are of kd {_RETIRED[name]} or older: train again, or install that"
        )
    known = ", ".join(ARCHITECTURES)
    raise KdError(f"weights for {name!r}, which this kd does not know ({known}): update kd")
