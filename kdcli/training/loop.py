"""The training loop: budget, learning rate, moving average, checkpoints, logs. Knows no network."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from kdcli.errors import KdError
from kdcli.training.checkpoint import CHECKPOINT, Checkpoint, Settings, forget_after
from kdcli.training.data import Batch, PairMaker
from kdcli.training.optimiser import make_optimisers
from kdcli.training.team import Team

_WARM_UP = 30  # steps
_CLIP = 1.0
_CHECKPOINT_EVERY = 180.0  # seconds


class Task(Protocol):
    """What a network is trained to do."""

    def trained(self, network: Any) -> nn.Module: ...
    def loss(
        self, network: Any, maker: PairMaker, count: int, generator: torch.Generator
    ) -> torch.Tensor: ...
    def validate(self, network: Any, batch: Batch) -> dict[str, float]: ...
    def sheet(self, network: Any, batch: Batch) -> torch.Tensor: ...
    def state(self) -> Any: ...
    def restore(self, state: Any) -> None: ...


@dataclass(frozen=True)
class Plan:
    """How long to train and how fast.

    Attributes:
        budget: seconds of training.
        steps: the most steps; training ends at whichever comes first.
        batch: pairs a step.
        lr: the learning rate after warm-up; a cosine takes it to zero at the end of the budget.
        validate_every: steps between validations.
    """

    budget: float
    steps: int
    batch: int
    lr: float
    validate_every: int = 300


@dataclass
class Progress:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0
    loss: float = math.nan


def train_loop(
    network: nn.Module,
    task: Task,
    maker: PairMaker,
    held_out: Batch,
    plan: Plan,
    out: Path,
    *,
    settings: Settings,
    seed: int = 0,
    resume: bool = False,
    team: Team | None = None,
    report: Callable[[Progress, dict[str, float] | None], None],
) -> Progress:
    """Train until the budget or the steps are used up, or a signal asks to stop.

    Args:
        settings: what a run keeps for as long as it lives, by the names that users know.
        team: of processes that share the run; the first of them validates, reports and writes.

    Returns:
        Where the run ended; the network has its moving averages for weights.

    Raises:
        UsageError: the run to resume was begun with other settings.
        KdError: the loss is no longer finite, or there is no checkpoint to resume from, or a damaged one.
    """
    team = team or Team(maker.device)
    out.mkdir(parents=True, exist_ok=True)
    network.requires_grad_(False)
    task.trained(network).requires_grad_(True)
    averages = Averages(task.trained(network))
    optimisers = make_optimisers(network, plan.lr)
    generator = torch.Generator(maker.device).manual_seed(seed)
    progress = Progress()
    checkpoint = Checkpoint(
        out / CHECKPOINT, settings, network, averages, optimisers, generator, maker, task, progress
    )
    if resume:
        checkpoint.restore()
        if team.leads:
            forget_after(out / "log.jsonl", progress.step)
        else:
            task.restore([])  # what the first process has ready is for that one
        maker.part_from(team.rank)
    if not team.leads:
        own = np.random.default_rng([seed, team.rank, progress.step])
        generator.manual_seed(int(own.integers(2**62)))
    before, began, saved = progress.seconds, time.monotonic(), time.monotonic()
    with (
        stop_on_signal() as stopped,
        (out / "log.jsonl" if team.leads else Path(os.devnull)).open("a" if resume else "w") as log,
    ):
        while True:
            done = max(progress.step / plan.steps, progress.seconds / plan.budget)
            done = team.agreed(1.0 if stopped() else done)
            if done >= 1:
                break
            rate = (
                plan.lr
                * min(1, (progress.step + 1) / _WARM_UP)
                * (0.01 + 0.99 * math.cos(done * math.pi / 2) ** 2)
            )
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
            loss = task.loss(network, maker, plan.batch, generator)
            loss.backward()
            team.average_gradients(task.trained(network).parameters())
            nn.utils.clip_grad_norm_(task.trained(network).parameters(), _CLIP)
            for optimiser in optimisers:
                optimiser.step()
                optimiser.zero_grad()
            averages.update(task.trained(network), progress.step)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise KdError(f"the loss became {value} at step {progress.step}: lower the learning rate")
            progress.step += 1
            progress.seconds = before + time.monotonic() - began
            progress.loss = value if math.isnan(progress.loss) else 0.95 * progress.loss + 0.05 * value
            scores = None
            if team.leads and progress.step % plan.validate_every == 0:
                with averages.swapped(task.trained(network)):
                    scores = task.validate(network, held_out)
            line = {"step": progress.step, "seconds": round(progress.seconds, 1), "loss": value, "lr": rate}
            log.write(json.dumps({**line, **(scores or {})}) + "\n")
            log.flush()
            if not team.leads:
                continue
            report(progress, scores)
            if time.monotonic() - saved > _CHECKPOINT_EVERY:
                checkpoint.save()
                saved = time.monotonic()
        if team.leads:
            checkpoint.save()
    averages.copy_to(task.trained(network))
    return progress


class Averages:
    """Exponential moving averages of a module's weights, warmed up so that early ones fade fast."""

    def __init__(self, module: nn.Module, decay: float = 0.998):
        self.decay = decay
        self.values = {n: p.detach().clone() for n, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, weight in module.named_parameters():
            self.values[name].lerp_(weight, 1 - decay)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        for name, weight in module.named_parameters():
            weight.copy_(self.values[name])

    @contextmanager
    def swapped(self, module: nn.Module) -> Iterator[None]:
        """The module with its averages for weights, for as long as the context lasts."""
        current = {n: p.detach().clone() for n, p in module.named_parameters()}
        self.copy_to(module)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in module.named_parameters():
                    weight.copy_(current[name])


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop after the step; a second one is immediate."""
    asked = False
    handlers: dict[int, Any] = {}

    def ask(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, handlers[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        handlers[number] = signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for caught, handler in handlers.items():
            signal.signal(caught, handler)
