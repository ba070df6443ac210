"""Figure 2: joint estimation has traps where the kernel alone has none."""

from __future__ import annotations

import pytest
import torch

from kdcli.bench.paper.toy import (
    LENGTH,
    LIMITS,
    NOISE,
    TRUTH,
    blurred_pulses,
    joint_loss,
    kernel_posterior,
    local_minima,
    observe,
    project,
    seen_at,
)


def points(count: int, seed: int = 0) -> torch.Tensor:
    """Random points of the box."""
    generator = torch.Generator().manual_seed(seed)
    return LIMITS * torch.rand((count, 3), generator=generator, dtype=torch.float64)


def minima_of(curve: torch.Tensor) -> int:
    """How many points are below their neighbours; either end has one."""
    walled = torch.nn.functional.pad(curve, (1, 1), value=torch.inf)
    return int(((walled[1:-1] < walled[:-2]) & (walled[1:-1] < walled[2:])).sum())


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.5, 3.0])
def test_a_blurred_pulse_is_a_convolution_seen_by_pixels(spread: float) -> None:
    fine = 100  # parts of a pixel
    place = (torch.arange(LENGTH * fine, dtype=torch.float64) + 0.5) / fine
    pulse = ((place >= 40.25) & (place < 47.75)).double()
    lag = torch.arange(-16 * fine, 16 * fine + 1, dtype=torch.float64) / fine
    kernel = torch.exp(-(lag**2) / (2 * spread**2)) if spread else (lag == 0).double()
    blurred = torch.nn.functional.conv1d(pulse[None], (kernel / kernel.sum())[None, None], padding="same")
    found = blurred_pulses(torch.tensor([40.25, 7.5, spread], dtype=torch.float64))
    torch.testing.assert_close(found, blurred.view(LENGTH, fine).mean(1), atol=1e-3, rtol=0)


def test_blur_keeps_the_light() -> None:
    inside = points(50) * torch.tensor([0.8, 0.8, 1.0]) + torch.tensor([15.0, 0.0, 0.0])
    torch.testing.assert_close(blurred_pulses(inside).sum(-1), inside[:, 1], atol=1e-5, rtol=0)


def test_the_loss_at_the_truth_is_that_of_the_noise() -> None:
    y = observe(1)
    noise = (y - blurred_pulses(TRUTH)) / NOISE
    assert float(joint_loss(y, TRUTH)) == pytest.approx(float(noise.square().sum()) / 2)
    assert 0.5 < float(noise.square().mean()) < 1.5
    for outside in ([-1e-3, 10, 1.5], [64, 32.1, 1.5], [64, 10, 3.1]):
        assert joint_loss(y, torch.tensor(outside, dtype=torch.float64)) == torch.inf


@pytest.mark.parametrize("seed", [0, 3])
def test_joint_estimation_has_several_local_minima(seed: int) -> None:
    y = observe(seed)
    minima, counts = local_minima(y, starts=60, seed=seed)
    heights = joint_loss(y, minima)
    assert int(counts.sum()) == 60
    assert (heights.diff() >= 0).all()
    assert ((minima[0] - TRUTH).abs() < torch.tensor([0.3, 0.6, 0.3])).all()
    # Nothing within a quarter of a unit is lower, except for the last steps of the search.
    away = torch.randn((400, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    away = 0.25 * away / away.norm(dim=-1, keepdim=True) * torch.linspace(0, 1, 400)[:, None]
    around = joint_loss(y, (minima[:, None] + away).clamp(min=0).minimum(LIMITS)).amin(-1)
    traps = (around > heights - 0.01)[1:]
    assert int(traps.sum()) >= 4
    assert int(counts[1:][traps].sum()) >= 15  # and that is where descents end
    assert float(heights[1]) > float(heights[0]) + 1000
    assert float(minima[1:, 1].max()) < 1  # thin pulses, which fit the noise


@pytest.mark.parametrize("seed", range(4))
def test_the_kernel_alone_has_one_minimum_near_the_truth(seed: int) -> None:
    found = kernel_posterior(observe(seed), size=31, step=0.25)
    for curve in (found.exact, found.solver):
        assert minima_of(curve) == 1
        assert float(found.spreads[curve.argmin()]) == pytest.approx(float(TRUTH[2]), abs=0.25)
        assert float(torch.trapezoid(torch.exp(-curve), found.spreads)) == pytest.approx(1)
    # What the solver leaves out hardly changes from one kernel to the next.
    assert float((found.exact - found.solver)[5:].abs().max()) < 0.5 < 0.01 * float(found.exact.max())


def test_the_exact_posterior_is_the_sum_over_all_pulses() -> None:
    y = observe(2)
    found = kernel_posterior(y, size=4, step=1.0)
    edges = torch.arange(0, 129, dtype=torch.float64)
    start, end = torch.meshgrid(edges[edges <= 96], edges, indexing="ij")
    total = []
    for spread in found.spreads:
        pulses = torch.stack([start, end - start, spread.expand_as(start)], dim=-1)
        total.append(torch.logsumexp(-joint_loss(y, pulses).flatten(), 0))
    torch.testing.assert_close(found.exact.diff(), -torch.stack(total).diff())
    finer = kernel_posterior(y, size=4, step=0.0625).exact.diff()
    torch.testing.assert_close(
        kernel_posterior(y, size=4, step=0.125).exact.diff()[1:], finer[1:], atol=0.02, rtol=0
    )


def test_the_solver_finds_the_best_pulse_for_a_kernel() -> None:
    y = observe(2)
    found = kernel_posterior(y, size=7, step=0.25)
    loss = joint_loss(y, torch.cat([points(2000)[:, :2], found.spreads[3].expand(2000, 1)], dim=-1))
    true = joint_loss(y, torch.stack([TRUTH[0], TRUTH[1], found.spreads[3]]))
    # The curves are known up to a constant: compare two kernels.
    best = joint_loss(y, TRUTH) + float(found.solver[3] - found.solver.min())
    assert float(true) < float(loss.min())
    assert float(best) < float(true) + 3


def test_the_projection_holds_the_least_of_what_lies_behind() -> None:
    y, size = observe(0), 40
    seen = project(y, seed=5, size=size)
    torch.testing.assert_close(seen.directions.T @ seen.directions, torch.eye(2, dtype=torch.float64))
    torch.testing.assert_close(seen_at(TRUTH, seen.directions), torch.zeros(2, dtype=torch.float64))
    steps = torch.tensor([0.25, 0.25, float(LIMITS[2]) / size], dtype=torch.float64)
    some = (points(3000) / steps).floor() * steps
    cells = ((seen_at(some, seen.directions) - seen.low) / (seen.high - seen.low) * size).long()
    assert ((cells >= 0) & (cells < size)).all()
    assert (seen.loss[cells[:, 0], cells[:, 1]] <= joint_loss(y, some) + 1e-6).all()
    minima, _ = local_minima(y, starts=20)
    assert float(seen.loss.min()) == pytest.approx(float(joint_loss(y, minima[0])), abs=3)
