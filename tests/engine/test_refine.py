"""Stage II: kernels go down the reblurring loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.kernels import mnc, normalise
from kdcli.blur.noise import noise_level
from kdcli.blur.shake import shake_kernels
from kdcli.engine.guidance import Guide
from kdcli.engine.refine import _LEAST_STEP, _step, refine
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
    refined, near = refine(guide, smooth(true), 6, done.append)
    with torch.no_grad():
        assert float(guide.loss(refined)) < float(guide.loss(smooth(true)))
        torch.testing.assert_close(near(refined), guide.near(smooth(true))(refined))
    assert float(mnc(refined[0, 0], true[0, 0])) > float(mnc(smooth(true)[0, 0], true[0, 0])) + 0.01
    assert float(refined.min()) >= 0
    assert float(refined.sum()) == pytest.approx(1, abs=1e-5)
    assert done == sorted(done)
    assert done[-1] == 1


@pytest.mark.parametrize("wrong", ["thin", "cut"])
def test_kernels_towards_no_blur_leave_less_but_lose_contrast(
    solver: Solver, blurred: torch.Tensor, true: torch.Tensor, wrong: str
) -> None:
    kernel = normalise(true**2 if wrong == "thin" else true * (true > 0.3 * true.amax()))
    guide = Guide(solver, blurred)
    with torch.no_grad():
        restored = [guide.near(k)(k) for k in (kernel, true)]
        wrongly, truly = (guide.log_loss(x, k) for x, k in zip(restored, (kernel, true), strict=True))
    assert float(truly) < float(wrongly)
    grey = torch.full_like(blurred, 0.5)
    assert torch.isfinite(Guide(solver, grey).log_loss(grey, true)).all()


def test_true_kernels_are_not_led_away(solver: Solver, blurred: torch.Tensor, true: torch.Tensor) -> None:
    refined, _ = refine(Guide(solver, blurred), true, 8, lambda _: None)
    assert float(mnc(refined[0, 0], true[0, 0])) > 0.97


def test_the_solver_near_a_kernel_takes_it_for_known(
    solver: Solver, blurred: torch.Tensor, true: torch.Tensor
) -> None:
    kernel = smooth(true)
    near = Guide(solver, blurred).near(kernel)
    with torch.no_grad():
        whole = solver(blurred, kernel, 0.99, noise_level(blurred))
        for _ in range(2):  # and again: nothing is used up
            torch.testing.assert_close(near(kernel), whole, atol=1e-3, rtol=0)
        assert float((near(true) - whole).abs().max()) > 1e-2
    kernel.requires_grad_(True)
    (gradient,) = torch.autograd.grad(near(kernel).square().sum(), kernel)
    assert gradient.abs().max() > 0


def test_other_solvers_are_asked_from_the_start(blurred: torch.Tensor, true: torch.Tensor) -> None:
    guide = Guide(lambda y, k: y * k.square().sum(), blurred)
    assert torch.equal(guide.near(smooth(true))(true), blurred * true.square().sum())


def test_where_no_step_helps_the_kernel_stays(blurred: torch.Tensor, true: torch.Tensor) -> None:
    asked: list[torch.Tensor] = []

    class AtTheBottom(Guide):
        def log_loss(self, restored: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
            asked.append(kernel)
            return (kernel - true).square().sum((1, 2, 3)) * 1e9

    done: list[float] = []
    refined, _ = refine(AtTheBottom(lambda y, _k: y, blurred), true, 40, done.append)
    assert float((refined - true).abs().max()) < 1e-4
    assert len(asked) < 20  # each step shortened a few times, then given up
    assert done[-1] == 1


@pytest.mark.parametrize("factor", [0.0, float("nan")])
def test_a_loss_without_a_slope_or_that_is_no_number_ends_it(true: torch.Tensor, factor: float) -> None:
    kernel = true.clone().requires_grad_(True)
    value = factor * kernel.square().sum()
    found, _, length = _step(lambda k: factor * k.square().sum(), kernel, value, 0.03)
    assert torch.equal(found, kernel)
    assert 0 < length < _LEAST_STEP  # which refine takes for the end
