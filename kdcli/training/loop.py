"""The training loop: budget, learning rate, moving average, checkpoints, logs. Knows no network."""

from __future__ import annotations

import json
import math
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn

from kdcli.errors import KdError
from kdcli.files.atomic import write_atomically
from kdcli.training.data import Batch, PairMaker
from kdcli.training.optimiser import make_optimisers

CHECKPOINT = "checkpoint.pt"
_WARM_UP = 30  # steps
_CLIP = 1.0
_CHECKPOINT_EVERY = 180.0  # seconds
_UNREADABLE = (OSError, EOFError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, ValueError)


class Task(Protocol):
    """What a network is trained to do."""

    measure: str

    def trained(self, network: Any) -> nn.Module: ...
    def loss(self, network: Any, batch: Batch, generator: torch.Generator) -> torch.Tensor: ...
    def validate(self, network: Any, batch: Batch) -> dict[str, float]: ...
    def sheet(self, network: Any, batch: Batch) -> torch.Tensor: ...


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
    validate_every: int = 150


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
    seed: int = 0,
    resume: bool = False,
    report: Callable[[Progress, dict[str, float] | None], None],
) -> Progress:
    """Train until the budget or the steps are used up, or a signal asks to stop.

    Returns:
        Where the run ended; the network has its moving averages for weights.

    Raises:
        KdError: the loss is no longer finite.
    """
    out.mkdir(parents=True, exist_ok=True)
    network.requires_grad_(False)
    task.trained(network).requires_grad_(True)
    averages = Averages(task.trained(network))
    optimisers = make_optimisers(network, plan.lr)
    generator = torch.Generator(maker.device).manual_seed(seed)
    progress = Progress()
    if resume:
        _restore(out / CHECKPOINT, network, averages, optimisers, generator, maker, progress)
        _forget_after(out / "log.jsonl", progress.step)
    before, began, saved = progress.seconds, time.monotonic(), time.monotonic()
    with stop_on_signal() as stopped, (out / "log.jsonl").open("a") as log:
        while progress.step < plan.steps and progress.seconds < plan.budget and not stopped():
            done = max(progress.step / plan.steps, progress.seconds / plan.budget)
            rate = (
                plan.lr
                * min(1, (progress.step + 1) / _WARM_UP)
                * (0.01 + 0.99 * math.cos(done * math.pi / 2) ** 2)
            )
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
            loss = task.loss(network, maker.make(plan.batch), generator)
            loss.backward()
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
            if progress.step % plan.validate_every == 0:
                with averages.swapped(task.trained(network)):
                    scores = task.validate(network, held_out)
            line = {"step": progress.step, "seconds": round(progress.seconds, 1), "loss": value, "lr": rate}
            log.write(json.dumps({**line, **(scores or {})}) + "\n")
            log.flush()
            report(progress, scores)
            if time.monotonic() - saved > _CHECKPOINT_EVERY:
                _save(out / CHECKPOINT, network, averages, optimisers, generator, maker, progress)
                saved = time.monotonic()
        _save(out / CHECKPOINT, network, averages, optimisers, generator, maker, progress)
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


def _save(
    path: Path,
    network: nn.Module,
    averages: Averages,
    optimisers: list[torch.optim.Optimizer],
    generator: torch.Generator,
    maker: PairMaker,
    progress: Progress,
) -> None:
    state = {
        "network": network.state_dict(),
        "averages": averages.values,
        "optimisers": [o.state_dict() for o in optimisers],
        "generator": generator.get_state(),
        "maker": maker.state(),
        "progress": vars(progress),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def _restore(
    path: Path,
    network: nn.Module,
    averages: Averages,
    optimisers: list[torch.optim.Optimizer],
    generator: torch.Generator,
    maker: PairMaker,
    progress: Progress,
) -> None:
    if not path.is_file():
        raise KdError(f"there is no {path} to resume from: start without --resume")
    try:
        state = torch.load(path, map_location=maker.device, weights_only=True)
        network.load_state_dict(state["network"])
        averages.values = state["averages"]
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        generator.set_state(state["generator"].cpu())
        maker.restore(state["maker"])
        vars(progress).update(state["progress"])
    except (
        OSError,
        EOFError,
        RuntimeError,
        pickle.UnpicklingError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise KdError(
            f"{path} is damaged, or of another network: start a new run in another folder"
        ) from error


def _forget_after(log: Path, step: int) -> None:
    """Drop the log's lines of steps that a killed run took after its last checkpoint."""
    if not log.is_file():
        return
    kept = [line for line in log.read_text().splitlines(keepends=True) if _step(line) <= step]
    write_atomically(log, "".join(kept).encode(), overwrite=True)


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except ValueError:  # cut short
        return math.inf
