"""The noise schedules, and the conversions between what a diffusion may predict."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import pytest
import torch

from kdcli.nets.schedule import STEPS, Schedule, make_schedule

NAMES: list[Literal["linear", "cosine"]] = ["linear", "cosine"]


@pytest.fixture(params=NAMES)
def schedule(request: pytest.FixtureRequest) -> Schedule:
    return make_schedule(request.param)


def some(seed: int, count: int = 4) -> torch.Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TIMES = torch.tensor([0, 300, 700, STEPS - 2])


def test_linear_endpoints_are_the_papers() -> None:
    signal = make_schedule("linear").signal
    beta = 1 - signal[1:] / signal[:-1]
    assert len(signal) == 1000
    assert float(signal[0]) == pytest.approx(1 - 1e-4, abs=1e-12)
    assert float(beta[-1]) == pytest.approx(0.02, abs=1e-12)
    assert float(signal[-1]) == pytest.approx(4.0358e-5, rel=1e-4)  # Ho et al. 2020
    torch.testing.assert_close(beta.diff(), torch.full((998,), 0.0199 / 999, dtype=torch.float64))


def test_cosine_endpoints_are_those_of_its_curve() -> None:
    signal = make_schedule("cosine").signal
    place = (torch.tensor([0.0, 0.001, 0.5], dtype=torch.float64) + 0.008) / 1.008
    curve = (place * torch.pi / 2).cos() ** 2
    assert float(signal[0]) == pytest.approx(float(curve[1] / curve[0]), abs=1e-12)
    assert float(signal[499]) == pytest.approx(float(curve[2] / curve[0]), abs=1e-9)
    assert 0 < float(signal[-1]) < 1e-8
    assert float(1 - signal[-1] / signal[-2]) == pytest.approx(0.999)


def test_signal_falls_all_the_way(schedule: Schedule) -> None:
    assert schedule.signal.dtype == torch.float64
    assert (schedule.signal.diff() < 0).all()


def test_an_unknown_schedule_is_named() -> None:
    with pytest.raises(ValueError, match="'square'"):
        make_schedule("square")  # type: ignore[arg-type]


def test_noising_keeps_the_variance_and_follows_the_signal(schedule: Schedule) -> None:
    one, zero = torch.ones(4, 1, 1, 1), torch.zeros(4, 1, 1, 1)
    signal = schedule.noised(one, zero, TIMES).square()[:, 0, 0, 0]
    noise = schedule.noised(zero, one, TIMES).square()[:, 0, 0, 0]
    torch.testing.assert_close(signal, schedule.signal[TIMES].float())
    torch.testing.assert_close(signal + noise, torch.ones(4))


def test_the_conversions_are_exact_inverses(schedule: Schedule) -> None:
    k0, noise = some(0), some(1)
    k_t = schedule.noised(k0, noise, TIMES)
    torch.testing.assert_close(schedule.noise_from_k0(k_t, k0, TIMES), noise, rtol=0, atol=1e-6)
    torch.testing.assert_close(schedule.k0_from_noise(k_t, noise, TIMES), k0, rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 1000])
def test_times_go_down_from_the_last(schedule: Schedule, steps: int) -> None:
    times = schedule.times(steps)
    assert len(times) == steps
    assert times[0] == STEPS - 1
    assert steps == 1 or times[-1] == 0
    assert all(a > b for a, b in pairwise(times))
    gaps = {a - b for a, b in pairwise(times)}
    assert not gaps or max(gaps) - min(gaps) <= 1
