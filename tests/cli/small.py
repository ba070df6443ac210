"""Networks of the real architectures with few channels."""

from __future__ import annotations

from kdcli.nets.estimator import KernelNet
from kdcli.nets.solver import Solver

# Run first in the processes that the tests start.
SMALL = """
from kdcli.weights.architectures import ARCHITECTURES, Architecture
for name in ("kernel-2", "solver-5"):
    role = ARCHITECTURES[name].role
    ARCHITECTURES[name] = Architecture(role, "tests.cli.small", f"small_{role}")
"""


def small_kernel() -> KernelNet:
    return KernelNet((8, 8, 8), (16, 16, 16))


def small_solver() -> Solver:
    return Solver((8, 8, 8))
