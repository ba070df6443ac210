"""The last part of an estimate: what makes it sharper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from skimage.filters import gaussian

import kdcli.engine.kernel as engine
import kdcli.engine.settle as settling
from kdcli.blur.degrade import soften
from kdcli.blur.kernels import mnc
from kdcli.blur.shake import shake_kernels
from kdcli.engine.deblur import estimate_image_kernel
from kdcli.engine.guidance import Guide, Near
from kdcli.engine.options import PRESETS
from kdcli.engine.settle import is_fat, look_again, settle
from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
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


@pytest.mark.parametrize("width", [0.0, 0.7, 1.0])
def test_soft_kernels_are_fat(width: float) -> None:
    path = torch.from_numpy(shake_kernels(8, np.random.default_rng(2), (10, 20)))[:1, None]
    assert is_fat(soften(path, torch.tensor([width]))) == (width > 0)


def test_looks_in_all_flips_and_turns_of_a_kernel_that_is_right_agree_with_it() -> None:
    kernel = torch.from_numpy(shake_kernels(8, np.random.default_rng(2), (10, 20)))[:1, None]
    network = Believer(encoder=(16, 16, 16), denoiser=(16, 16, 16))
    for turns in (1, 3, 8):
        again = look_again(network, torch.rand(2, 1, 64, 64), kernel, turns)
        torch.testing.assert_close(again, kernel, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("settled", "steps", "fat", "noise", "sharp"),
    [
        (1, 8, True, 1e-2, False),
        (3, 8, True, 1e-2, False),
        (3, 8, True, 0.0, False),
        (1, 8, False, 1e-2, False),
        (3, 8, False, 1e-2, False),
        (2, 3, False, 0.0, False),
        (1, 0, True, 1e-2, False),
        (0, 8, True, 1e-2, False),
        (1, 8, False, 0.0, True),
    ],
)
def test_thin_kernels_settle_between_looks_and_fat_ones_more_often(
    monkeypatch: pytest.MonkeyPatch, settled: int, steps: int, fat: bool, noise: float, sharp: bool
) -> None:
    calls: list[str] = []
    counts: list[int] = []

    def settle_spy(_patches: Any, kernel: torch.Tensor, from_camera: bool = False) -> torch.Tensor:
        calls.append("settle as a camera's" if from_camera else "settle")
        return kernel

    def look_spy(_network: Any, y: torch.Tensor, kernel: torch.Tensor, turns: int = 1) -> torch.Tensor:
        calls.append(f"look at {len(y)} in {turns}")
        return kernel

    def refine_spy(guide: Guide, kernel: torch.Tensor, count: int, _: Any) -> tuple[torch.Tensor, Near]:
        assert len(guide.y) == 1  # the best patch only
        calls.append("refine")
        counts.append(count)
        return kernel, lambda _kernel: guide.y

    def link_spy(kernel: torch.Tensor) -> torch.Tensor:
        calls.append("link")
        return kernel

    monkeypatch.setattr(settling, "settle", settle_spy)
    monkeypatch.setattr(settling, "linked", link_spy)
    monkeypatch.setattr(settling, "look_again", look_spy)
    monkeypatch.setattr(settling, "is_fat", lambda _kernel: fat)
    monkeypatch.setattr(engine, "refine", refine_spy)
    monkeypatch.setattr(engine, "is_no_blur", lambda _kernel: sharp)
    network = Believer(encoder=(16, 16, 16), denoiser=(16, 16, 16)).eval()
    judge = Judge(photo=(16, 16), kernel=(16, 16)).eval()
    models = Models(network, Solver(widths=(16, 16, 16)).eval(), judge, torch.device("cpu"), "believer")
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.uniform(size=(16, 38, 1)), np.ones((16, 16, 3)))[:, :600]
    smooth = gaussian(blocks, 2.0, channel_axis=-1)
    photo = (smooth + noise * rng.normal(size=smooth.shape)).clip(0, 1).astype(np.float32)
    usual = replace(PRESETS["fast"], coarse=1, fine=1, patches=2, looks=5, fine_looks=1)
    options = replace(usual, settle=settled, refine_steps=steps)
    found = estimate_image_kernel(photo, models, options)
    refined = steps > 0 and not sharp  # what is sharp has nothing to gain
    assert counts == [steps] * refined
    fatter = ["link", "settle as a camera's"] * 2 if noise else ["settle"]
    more = fatter if fat else ["look at 2 in 3", "settle"] * (settled - 1)
    assert calls == (["settle", *more] if settled else []) + ["refine"] * refined
    assert ("settle" in found.seconds, "refine" in found.seconds) == (settled > 0, refined)
    assert found.from_camera == (settled > 0 and fat and noise > 0)
