"""What a run needs to go on as if it had not stopped, in a file; a solver's pairs alone are made anew."""

from __future__ import annotations

import json
import math
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically
from kdcli.training.data import PairMaker

if TYPE_CHECKING:
    from kdcli.training.loop import Averages, Progress, Task

CHECKPOINT = "checkpoint.pt"
Settings = dict[str, str | int | float]
_UNREADABLE = (OSError, EOFError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Checkpoint:
    """A run's file, and all that goes into it.

    Attributes:
        path: the file.
        settings: what a run keeps for as long as it lives, by the names that users know.
    """

    path: Path
    settings: Settings
    network: nn.Module
    averages: Averages
    optimisers: list[torch.optim.Optimizer]
    generator: torch.Generator
    maker: PairMaker
    task: Task
    progress: Progress

    def save(self) -> None:
        """Write the file, whole or not at all."""
        state = {
            "settings": self.settings,
            "network": self.network.state_dict(),
            "averages": self.averages.values,
            "optimisers": [o.state_dict() for o in self.optimisers],
            "generator": self.generator.get_state(),
            "maker": self.maker.state(),
            "task": self.task.state(),
            "progress": vars(self.progress),
        }
        temporary = self.path.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.path)

    def restore(self) -> None:
        """Take everything from the file.

        Raises:
            UsageError: its run was begun with other settings.
            KdError: there is no such file, or it is damaged.
        """
        if not self.path.is_file():
            raise KdError(f"there is no {self.path} to resume from: start without --resume")
        try:
            state = torch.load(self.path, map_location=self.maker.device, weights_only=True)
            self._check(state["settings"])
            self.network.load_state_dict(state["network"])
            self.averages.values = state["averages"]
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
            self.generator.set_state(state["generator"].cpu())
            self.maker.restore(state["maker"])
            self.task.restore(state["task"])
            vars(self.progress).update(state["progress"])
        except _UNREADABLE as error:
            raise KdError(
                f"{self.path} is damaged, or of another version of kd: start a new run in another folder"
            ) from error

    def _check(self, begun: Settings) -> None:
        """Going on with other settings would make a run that nobody asked for."""
        other = [
            f"{name} {begun[name]} (now {value})"
            for name, value in self.settings.items()
            if begun[name] != value
        ]
        if other:
            raise UsageError(
                f"{self.path} is of a run with {', '.join(other)}: repeat its settings, of which only "
                "--budget and --steps may change, or start another run with --init"
            )


def forget_after(log: Path, step: int) -> None:
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
