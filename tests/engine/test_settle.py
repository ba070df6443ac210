"""The last part of an estimate: what makes it sharper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import kdcli.engine.kernel as engine
from kdcli.blur.kernels import mnc
from kdcli.blur.shake import shake_kernels
from kdcli.engine.deblur import estimate_image_kernel
from kdcli.engine.options import PRESETS
from kdcli.engine.settle import settle
from kdcli.nets.estimator import KernelNet
from kdcli.nets.solver import Solver
from kdcli.weights import Models
from tests.blur.rectangles import rectangles, standardised


class Believer(KernelNet):
    """Takes every kernel for right."""

    def predict(self, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return kernel


@pytest.mark.parametrize("extent", [(10, 20), (40, 46)])
def test_a_smooth_kernel_becomes_sharper(extent: tuple[int, int]) -> None:
    true = torch.from_numpy(shake_kernels(8, np.random.default_rng(2), extent))[:1, None]
    smooth = torch.nn.functional.avg_pool2d(true, 3, 1, 1)
    found = settle(standardised(rectangles(2, 256, 120), true.expand(2, -1, -1, -1)), smooth)
    assert float(mnc(found[0, 0], true[0, 0])) > float(mnc(smooth[0, 0], true[0, 0])) + 0.02


@pytest.mark.parametrize("asked", [False, True])
def test_kernels_are_settled_if_asked(monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    calls: list[int] = []

    def spy(_patches: Any, kernel: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return kernel

    monkeypatch.setattr(engine, "settle", spy)
    network = Believer(encoder=(16, 16, 16), denoiser=(16, 16, 16)).eval()
    models = Models(network, Solver(widths=(16, 16, 16)).eval(), torch.device("cpu"), "believer")
    photo = np.random.default_rng(0).uniform(size=(256, 256, 3)).astype(np.float32)
    options = replace(PRESETS["fast"], coarse=1, fine=1, settle=asked)
    found = estimate_image_kernel(photo, models, options)
    assert calls == [1] * asked
    assert ("settle" in found.seconds) == asked
