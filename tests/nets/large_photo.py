"""What a restoration takes at most: `python -m tests.nets.large_photo HEIGHT WIDTH` prints the bytes.

Of the deconvolution, that is, which takes the whole photo: in few steps, with a small network in small parts.
"""

from __future__ import annotations

import sys

import torch

import kdcli.nets.prior as prior
import kdcli.nets.solver as solver
from tests.engine.large_photo import peak

if __name__ == "__main__":
    height, width = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    solver.ROUNDS, solver.STEPS, solver.SMOOTH_STEPS, solver.PULL_STEPS = 1, 2, 2, 2
    prior._PART = 512
    network = solver.Solver((8, 8, 8)).eval().requires_grad_(False)
    photo = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    kernel = torch.zeros(1, 1, 64, 64)
    kernel[..., 32, 30:35] = 0.2
    noise = torch.full((1, 1, 1, 1), 0.01)
    with torch.no_grad():
        network(photo[..., :200, :200], kernel, noise=noise)
        before = peak()
        network(photo, kernel, noise=noise)
    print(peak() - before)
