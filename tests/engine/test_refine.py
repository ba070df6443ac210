"""Stage II: kernels go down the reblurring loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.kernels import mnc
from kdcli.blur.noise import noise_level
from kdcli.blur.shake import shake_kernels
from kdcli.engine import refine as refinement
from kdcli.engine.guidance import Guide
from kdcli.engine.refine import refine
from kdcli.nets.solver import Solver
from kdcli.weights import load_models
from tests.blur.rectangles import rectangles


@pytest.fixture(scope="module")
def solver() -> Solver:
    found = load_models("cpu").solver
    assert isinstance(found, Solver)
    return found


@pytest.fixture(scope="module")
def true() -> torch.Tensor:
    return torch.from_numpy(shake_kernels(8, np.random.default_rng(2), (10, 20)))[:1, None]


@pytest.fixture(scope="module")
def blurred(true: torch.Tensor) -> torch.Tensor:
    sharp = rectangles(1, 192, 120).expand(-1, 3, -1, -1)
    return convolve(sharp / sharp.max(), true)


def smooth(kernel: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(kernel, 3, 1, 1)


def test_a_kernel_goes_down_the_loss_and_towards_the_truth(
    solver: Solver, blurred: torch.Tensor, true: torch.Tensor
) -> None:
    guide, done = Guide(solver, blurred), list[float]()
    refined = refine(guide, smooth(true), 6, done.append)
    with torch.no_grad():
        assert float(guide.loss(refined)) < float(guide.loss(smooth(true)))
    assert float(mnc(refined[0, 0], true[0, 0])) > float(mnc(smooth(true)[0, 0], true[0, 0])) + 0.01
    assert float(refined.min()) >= 0
    assert float(refined.sum()) == pytest.approx(1, abs=1e-5)
    assert done == sorted(done)
    assert done[-1] == 1


def test_a_kernel_that_is_far_is_first_led_nearer(
    solver: Solver, blurred: torch.Tensor, true: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = smooth(smooth(true.roll(3, -1) + true) / 2)
    noisy = blurred + 0.002 * torch.randn(blurred.shape, generator=torch.Generator().manual_seed(0))
    guide = Guide(solver, noisy)
    with torch.no_grad():
        assert float(guide.near(far)(far)) > 6 * float(noise_level(noisy).square())
    refined = refine(guide, far, 2, lambda _: None)
    monkeypatch.setattr(refinement, "_APPROACH", 0)
    without = refine(guide, far, 2, lambda _: None)
    assert float(mnc(refined[0, 0], true[0, 0])) > float(mnc(without[0, 0], true[0, 0]))
    with torch.no_grad():
        assert float(guide.loss(refined)) < float(guide.loss(without))


def test_steps_by_factors_go_down_and_keep_zeros() -> None:
    kernel, gradient = torch.tensor([0.5, 0.3, 0.2, 0.0]), torch.tensor([1.0, -1.0, 0.0, -5.0])
    moved = refinement._by_factors(kernel, gradient, 0.1)
    assert moved[0] < kernel[0]
    assert moved[1] > kernel[1]
    assert moved[3] == 0
    change = (moved[:3] / kernel[:3]).log().abs()
    assert float((change * kernel[:3]).sum()) == pytest.approx(0.1, rel=1e-3)
    assert float((refinement._by_factors(kernel, gradient, 1e9)[:3] / kernel[:3]).log().abs().max()) < 3.001


def test_the_loss_near_a_kernel_takes_it_for_known(
    solver: Solver, blurred: torch.Tensor, true: torch.Tensor
) -> None:
    kernel = smooth(true)
    near = Guide(solver, blurred).near(kernel)
    with torch.no_grad():
        whole = float(Guide(lambda y, k: solver(y, k, 0.99, noise_level(y)), blurred).loss(kernel))
        held = [float(near(kernel)) for _ in range(2)]
        assert held == pytest.approx([whole] * 2, rel=1e-4)  # and again: nothing is used up
        assert float(near(true)) != pytest.approx(whole, rel=1e-2)
    kernel.requires_grad_(True)
    (gradient,) = torch.autograd.grad(near(kernel).sum(), kernel)
    assert gradient.abs().max() > 0


def test_other_solvers_are_asked_from_the_start(blurred: torch.Tensor, true: torch.Tensor) -> None:
    guide = Guide(lambda y, k: y * k.sum(), blurred)
    assert torch.equal(guide.near(smooth(true))(true), guide.loss(true))


def test_where_no_step_helps_the_kernel_stays(blurred: torch.Tensor, true: torch.Tensor) -> None:
    asked: list[torch.Tensor] = []

    class AtTheBottom(Guide):
        def loss(self, kernel: torch.Tensor) -> torch.Tensor:
            asked.append(kernel)
            return 1 + (kernel - true).square().sum((1, 2, 3)) * 1e9

    done: list[float] = []
    refined = refine(AtTheBottom(lambda y, _k: y, blurred), true, 40, done.append)
    assert float((refined - true).abs().max()) < 1e-4
    assert len(asked) < 20  # each step halved a few times, then given up
    assert done[-1] == 1
