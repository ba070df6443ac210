"""Random networks, and a photo that blur has smoothed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.weights import Models


@pytest.fixture(scope="module")
def models() -> Models:
    torch.manual_seed(0)
    kernel = KernelNet(encoder=(16, 16, 16), denoiser=(16, 16, 16))
    solver, judge = Solver(widths=(16, 16, 16)), Judge(photo=(16, 16), kernel=(16, 16))
    return Models(kernel.eval(), solver.eval(), judge.eval(), torch.device("cpu"), "random")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((1, 3, 24, 30), generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(288, 360))[0].permute(1, 2, 0).numpy()
