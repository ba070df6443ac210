"""A process of a small training run: `torchrun --nproc-per-node 2 -m tests.training.team_member PHOTOS OUT`.

Writes the weights that it ends with, and the mean of the photos that it saw, to OUT/member-RANK.pt.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from kdcli.nets.solver import Solver
from kdcli.training import run
from kdcli.training.data import Batch, PairMaker
from kdcli.training.loop import Progress

seen: list[float] = []
ended: list[Solver] = []


class Maker(PairMaker):
    """A single pair held out; takes down what it makes."""

    def make(self, count: int) -> Batch:
        batch = super().make(1 if self.clean else count)
        if not self.clean:
            seen.append(float(batch.blurred.double().mean()))
        return batch


def small() -> Solver:
    ended.append(Solver((8, 8, 8)))
    return ended[-1]


def report(progress: Progress, _scores: dict[str, float] | None) -> None:
    print(f"step {progress.step} of rank {os.environ['RANK']}", flush=True)


if __name__ == "__main__":
    photos, out = map(Path, sys.argv[1:])
    run.PairMaker = Maker  # type: ignore[misc]
    run.Solver = small  # type: ignore[misc, assignment]
    run.train(
        run.TrainConfig("solver", photos, out, 1e9, steps=2, batch=1, size=96, pool=4, device="cpu"), report
    )
    state = {"weights": ended[0].state_dict(), "seen": seen}
    torch.save(state, out / f"member-{os.environ['RANK']}.pt")
