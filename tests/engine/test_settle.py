"""The second search, for small kernels."""

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


@pytest.mark.parametrize(("turns", "small", "settled"), [(0, True, 0), (1, True, 1), (1, False, 0)])
def test_only_small_kernels_are_settled_and_only_if_asked(
    network: KernelNet, monkeypatch: pytest.MonkeyPatch, turns: int, small: bool, settled: int
) -> None:
    calls: list[int] = []

    def spy(_network: Any, _patches: Any, kernel: torch.Tensor, turns: int) -> torch.Tensor:
        calls.append(turns)
        return kernel

    monkeypatch.setattr(engine, "settle", spy)
    monkeypatch.setattr(engine, "is_small", lambda _: small)
    models = Models(network, Solver(widths=(16, 16, 16)).eval(), torch.device("cpu"), "believer")
    photo = np.random.default_rng(0).uniform(size=(256, 256, 3)).astype(np.float32)
    options = replace(PRESETS["fast"], coarse=1, fine=1, settle=turns)
    found = estimate_image_kernel(photo, models, options)
    assert len(calls) == settled
    assert ("settle" in found.seconds) == bool(settled)
