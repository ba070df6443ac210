"""A run of two processes, as torchrun starts them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from kdcli.training.team import Team, own_device

TOP = Path(__file__).parents[2]


def test_two_processes_train_one_network_on_photos_of_their_own(photos: Path, tmp_path: Path) -> None:
    words = ["--standalone", "--nproc-per-node", "2", "-m", "tests.training.team_member"]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words, str(photos), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=TOP,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["step 1 of rank 0", "step 2 of rank 0"]  # the first alone reports
    one, other = (torch.load(tmp_path / f"member-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(w, other["weights"][n]) for n, w in one["weights"].items())
    assert len(one["seen"]) == len(other["seen"]) == 2
    assert not set(one["seen"]) & set(other["seen"])
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "solver.safetensors").is_file()


def test_a_process_by_itself_is_a_team_of_one() -> None:
    team = Team(torch.device("cpu"))
    assert (team.rank, team.size, team.leads) == (0, 1, True)
    assert team.agreed(0.25) == 0.25
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.full((2,), 3.0)
    team.average_gradients([weight])
    assert weight.grad.tolist() == [3.0, 3.0]
    assert own_device(torch.device("cpu")) == torch.device("cpu")
