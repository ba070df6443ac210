"""The last part of an estimate: the search for small kernels, and what makes every kernel sharper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import kdcli.engine.kernel as engine
import kdcli.engine.settle as module
from kdcli.blur.families import sample
from kdcli.blur.kernels import mnc
from kdcli.blur.shake import shake_kernels
from kdcli.engine.deblur import estimate_image_kernel
from kdcli.engine.options import PRESETS
from kdcli.engine.settle import is_small, settle
from kdcli.nets.estimator import KernelNet
from kdcli.nets.solver import Solver
from kdcli.weights import Models
from tests.blur.test_pyramid import blocks, blurred


class Believer(KernelNet):
    """Takes every kernel for right."""

    def predict(self, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return kernel


@pytest.fixture(scope="module")
def network() -> KernelNet:
    return Believer(encoder=(16, 16, 16), denoiser=(16, 16, 16)).eval()


def test_a_wrong_start_does_not_win(network: KernelNet) -> None:
    true, wrong = torch.from_numpy(shake_kernels(2, np.random.default_rng(2), (10, 20)))[:, None].split(1)
    patches = blurred(blocks(2, 255), true.expand(2, -1, -1, -1))
    found = settle(network, patches, wrong, turns=1)
    assert found.shape == (1, 1, 64, 64)
    assert float(mnc(found[0, 0], true[0, 0])) > max(0.8, float(mnc(wrong[0, 0], true[0, 0])) + 0.1)


def test_a_right_start_wins(network: KernelNet, monkeypatch: pytest.MonkeyPatch) -> None:
    true, wrong = torch.from_numpy(shake_kernels(2, np.random.default_rng(2), (10, 20)))[:, None].split(1)
    monkeypatch.setattr(module, "climb", lambda *_: wrong)
    found = settle(network, blurred(blocks(1, 255), true), true, turns=1)
    assert float(mnc(found[0, 0], true[0, 0])) > 0.95


def test_what_counts_as_small() -> None:
    small = torch.from_numpy(sample("shake", 20, np.random.default_rng(0)))
    widths = [int((k > 0.05 * k.max()).any(0).sum()) for k in small]
    assert any(is_small(k) for k in small)
    assert not all(is_small(k) for k in small)
    assert all(not is_small(k) for k, wide in zip(small, widths, strict=True) if wide > 32)


def test_a_large_kernel_becomes_sharper(network: KernelNet, monkeypatch: pytest.MonkeyPatch) -> None:
    true = torch.from_numpy(shake_kernels(8, np.random.default_rng(2), (40, 46)))[:1, None]
    monkeypatch.setattr(module, "_search", lambda *_: pytest.fail("it is too large to be searched for"))
    smooth = torch.nn.functional.avg_pool2d(true, 3, 1, 1)
    found = settle(network, blurred(blocks(2, 256), true.expand(2, -1, -1, -1)), smooth, turns=1)
    assert float(mnc(found[0, 0], true[0, 0])) > float(mnc(smooth[0, 0], true[0, 0])) + 0.02


@pytest.mark.parametrize("turns", [None, 0, 1])
def test_kernels_are_settled_if_asked(
    network: KernelNet, monkeypatch: pytest.MonkeyPatch, turns: int | None
) -> None:
    calls: list[int] = []

    def spy(_network: Any, _patches: Any, kernel: torch.Tensor, turns: int) -> torch.Tensor:
        calls.append(turns)
        return kernel

    monkeypatch.setattr(engine, "settle", spy)
    models = Models(network, Solver(widths=(16, 16, 16)).eval(), torch.device("cpu"), "believer")
    photo = np.random.default_rng(0).uniform(size=(256, 256, 3)).astype(np.float32)
    options = replace(PRESETS["fast"], coarse=1, fine=1, settle=turns)
    found = estimate_image_kernel(photo, models, options)
    assert calls == ([] if turns is None else [turns])
    assert ("settle" in found.seconds) == (turns is not None)
