"""`kd deblur` with networks that do nothing, so that what remains is what a photo's size costs.

`python -m tests.engine.large_photo IN OUT` prints how many bytes it took at most, beyond what Python and
torch take by themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

import kdcli.engine.kernel as engine
import kdcli.engine.restore as restore
import kdcli.weights as weights
from kdcli.cli import run
from kdcli.engine.estimate import Looks
from kdcli.nets.solver import Solver
from kdcli.weights import Models


def peak() -> int:
    """The most bytes of memory that this process has had so far."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return 1024 * int(line.split()[1])


class Nothing(Solver):
    """A solver that returns the photo."""

    def forward(self, y: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return y.clone()


def straight(_network: Any, patches: list[torch.Tensor], *_: Any) -> list[Looks]:
    """The same short kernel for every photo."""
    kernel = torch.zeros(1, 1, 64, 64)
    kernel[..., 32, 30:35] = 0.2
    return [Looks(kernel.expand(2, -1, -1, -1), 1.0) for _ in patches]


if __name__ == "__main__":
    models = Models(None, Nothing((8, 8, 8)), None, torch.device("cpu"), "none")  # type: ignore[arg-type]
    weights.load_models = lambda *_: models  # type: ignore[assignment]
    engine.estimate_kernels = straight
    restore.WHOLE, restore.TILE = 0, 1024  # in pieces, as photos of 100 million pixels are
    engine.settle_as_needed = lambda _network, _patches, kernel, _options, _progress: (kernel, False)
    engine.confidence = lambda *_: 1.0
    engine.refine = lambda guide, kernel, *_: (kernel, lambda _kernel: guide.y)
    before = peak()
    code = run(["deblur", sys.argv[1], "-o", sys.argv[2], "--quiet"])
    print(peak() - before)
    sys.exit(code)
