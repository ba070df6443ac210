"""The training loop by itself, with a network of one weight."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kdcli.errors import KdError
from kdcli.training.data import Batch
from kdcli.training.loop import Averages, Plan, Progress, stop_on_signal, train_loop
from kdcli.training.optimiser import Muon, make_optimisers, orthogonalise


class Toy(nn.Module):
    """A matrix for Muon, a vector for Adam."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.full((16, 20), 0.5))
        self.vector = nn.Parameter(torch.ones(3))


class ToyTask:
    """Pulls all weights to zero; from a chosen step on the loss is of no use."""

    def __init__(self, ruin: float = math.nan, at: int = 10**9) -> None:
        self.ruin, self.at, self.seen = ruin, at, 0

    def trained(self, network: Toy) -> Toy:
        return network

    def loss(self, network: Toy, maker: ToyMaker, count: int, generator: torch.Generator) -> torch.Tensor:
        self.seen += 1
        total = network.matrix.square().mean() + network.vector.square().mean()
        return total * self.ruin if self.seen > self.at else total

    def validate(self, network: Toy, batch: Batch) -> dict[str, float]:
        return {"size": float(network.vector.detach().abs().sum())}

    def state(self) -> None:
        pass

    def restore(self, state: None) -> None:
        pass

    def sheet(self, network: Toy, batch: Batch) -> torch.Tensor:
        return torch.zeros(3, 8, 8)


class ToyMaker:
    device = torch.device("cpu")

    def make(self, count: int) -> Any:
        return None

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass

    def part_from(self, rank: int) -> None:
        pass


def loop(task: ToyTask, plan: Plan, out: Path, **settings: Any) -> tuple[Toy, list[tuple[int, Any]]]:
    seen: list[tuple[int, Any]] = []
    network = Toy()
    maker: Any = ToyMaker()
    held_out: Any = None
    settings.setdefault("report", lambda progress, scores: seen.append((progress.step, scores)))
    settings.setdefault("settings", {})
    train_loop(network, task, maker, held_out, plan, out, **settings)
    return network, seen


def log(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_it_learns_and_the_rate_warms_up_and_falls(tmp_path: Path) -> None:
    _, seen = loop(ToyTask(), Plan(1e9, 100, 1, lr=0.05, validate_every=40), tmp_path)
    lines = log(tmp_path)
    assert lines[-1]["loss"] < 0.3 * lines[0]["loss"]
    rates = [line["lr"] for line in lines]
    top = rates.index(max(rates))
    assert 10 < top < 40
    assert rates[0] == pytest.approx(0.05 / 30)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.001
    assert [step for step, scores in seen if scores] == [40, 80]
    assert [line["step"] for line in lines if "size" in line] == [40, 80]


def test_the_budget_ends_a_run(tmp_path: Path) -> None:
    _, seen = loop(ToyTask(), Plan(1e-9, 50, 1, lr=0.01), tmp_path)
    assert [step for step, _ in seen] == [1]
    assert (tmp_path / "checkpoint.pt").is_file()


@pytest.mark.parametrize("ruin", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_a_run_and_spares_the_checkpoint(tmp_path: Path, ruin: float) -> None:
    loop(ToyTask(), Plan(1e9, 3, 1, lr=0.01), tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(KdError, match="step 4: lower the learning rate"):
        loop(ToyTask(ruin, at=1), Plan(1e9, 10, 1, lr=0.01), tmp_path, resume=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert [line["step"] for line in log(tmp_path)] == [1, 2, 3, 4]


def test_a_run_ends_with_the_averages_for_weights(tmp_path: Path) -> None:
    network, _ = loop(ToyTask(), Plan(1e9, 5, 1, lr=0.05), tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert torch.equal(network.vector, saved["averages"]["vector"])
    assert not torch.equal(network.vector, saved["network"]["vector"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_once_and_the_old_handlers_come_back(number: int) -> None:
    caught: list[int] = []
    old = signal.signal(number, lambda n, _: caught.append(n))
    try:
        with stop_on_signal() as stopped:
            assert not stopped()
            os.kill(os.getpid(), number)
            assert stopped()
            assert caught == []
            os.kill(os.getpid(), number)  # the second one means it
            assert caught == [number]
        os.kill(os.getpid(), number)
        assert caught == [number, number]
    finally:
        signal.signal(number, old)


def test_averages_are_borrowed_and_given_back() -> None:
    toy = Toy()
    averages = Averages(toy, decay=0.9)
    with torch.no_grad():
        toy.vector.fill_(3)
    averages.update(toy, step=0)  # decay (1 + 0) / (10 + 0)
    torch.testing.assert_close(averages.values["vector"], torch.full((3,), 1 + 0.9 * 2))
    averages.update(toy, step=10**6)
    torch.testing.assert_close(averages.values["vector"], torch.full((3,), 0.9 * 2.8 + 0.1 * 3))
    with averages.swapped(toy):
        torch.testing.assert_close(toy.vector.detach(), averages.values["vector"])
    assert (toy.vector == 3).all()


def test_progress_starts_without_a_loss() -> None:
    assert math.isnan(Progress().loss)


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (24, 24)])
def test_orthogonalise_evens_out_the_singular_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalise(u @ torch.diag(s.clamp(min=1)) @ v)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert torch.trace(u.T @ found @ v.T) / len(s) > 0.6  # and keeps the directions


def test_every_weight_has_one_optimiser_and_frozen_ones_none() -> None:
    network = nn.Sequential(nn.Conv2d(16, 16, 3), nn.Conv2d(1, 4, 1), nn.GroupNorm(4, 16), nn.Linear(20, 18))
    network[3].bias.requires_grad_(False)
    muon, adam = make_optimisers(network, 0.01)
    assert isinstance(muon, Muon)
    in_muon, in_adam = ([p for g in o.param_groups for p in g["params"]] for o in (muon, adam))
    assert {id(p) for p in in_muon} == {id(network[0].weight), id(network[3].weight)}
    wanted = {id(p) for p in network.parameters() if p.requires_grad} - {id(p) for p in in_muon}
    assert {id(p) for p in in_adam} == wanted
    assert len(in_adam) == len(wanted)
