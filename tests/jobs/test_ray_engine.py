"""The Ray engine: its worker, and an instance of Ray of which a worker is killed, with the real networks."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdcli._version import __version__
from kdcli.cli import run as kd
from kdcli.engine.options import make_options
from kdcli.errors import KdError
from kdcli.jobs.job import Job, Result, Settings
from kdcli.jobs.ray_cluster import Share, share
from kdcli.jobs.ray_worker import RayWorker
from tests.conftest import FakeEngine, pattern

ROOT = Path(__file__).parents[2]
COUNT = 8


@pytest.mark.parametrize(
    ("cores", "gpus", "workers", "found"),
    [
        ([2], [0], 2, Share(2, 1)),
        ([8], [0], 3, Share(3, 2)),
        ([2], [0], 5, Share(5, 1)),
        ([16, 16, 16], [0, 0, 0], None, Share(3, 16)),
        ([16, 4], [0, 0], 3, Share(3, 5)),
        ([0, 32], [0, 8], None, Share(8, 4, 1.0)),
        ([8], [1], 2, Share(2, 4, 0.5)),
        ([16, 4], [0, 1], None, Share(1, 4, 1.0)),
        ([8, 8], [1, 1], 3, Share(3, 4, 0.5)),
        ([64], [1], 7, Share(7, 9, 0.1428)),
    ],
)
def test_a_cluster_is_split(cores: list[int], gpus: list[int], workers: int | None, found: Share) -> None:
    assert share(cores, gpus, workers) == found
    assert sum(count // found.cores for count in cores) >= min(found.workers, sum(cores))


def ask(worker: RayWorker, *jobs: Job) -> list[Result | KdError]:
    """What a worker sends back, as Ray Data calls it."""
    rows = {"number": np.arange(len(jobs)), "job": np.array([pickle.dumps(job) for job in jobs], object)}
    answers = worker(rows)
    assert answers["number"] is rows["number"]
    return [pickle.loads(answer) for answer in answers["answer"]]


def make_worker(folder: Path, version: str = __version__, **settings: Any) -> RayWorker:
    return RayWorker(Settings(make_options("fast"), **settings), str(folder), None, None, version)


def test_a_job_done_again_after_a_death_gives_the_same(
    engine: FakeEngine, photo_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time, the worker was killed after it had written, so that nobody heard of it."""
    monkeypatch.chdir(Path(__file__).parent)
    photo_file("a.png")
    job, bad = Job(Path("a.png"), Path("out/a.png"), Path("out/a.npy")), Job(Path("b.png"), Path("out/b.png"))
    worker = make_worker(tmp_path)
    [first] = ask(worker, job)
    before = content(tmp_path / "out")
    assert sorted(before) == ["a.npy", "a.png"]
    again, failed = ask(make_worker(tmp_path), job, bad)
    assert isinstance(again, Result)
    assert isinstance(failed, Result)
    assert (again.status, again.job) == ("done", job)
    assert (failed.status, failed.message) == ("failed", "b.png does not exist: check its name and folder")
    assert content(tmp_path / "out") == before
    assert first == Result(**{**vars(again), "seconds": first.seconds})  # type: ignore[union-attr]


def test_what_keeps_a_worker_from_working_is_the_answer(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = Job(Path("a.png"), Path("b.png"))
    [answer] = ask(make_worker(tmp_path, version="0.0.1"), job)
    assert str(answer) == f"the Ray cluster has kd {__version__}, this is 0.0.1: install the same"

    def refuse(*_: Any) -> Any:
        raise ConnectionError("the Hub is closed")

    monkeypatch.setattr(sys.modules["kdcli.weights"], "load_models", refuse)
    [answer] = ask(make_worker(tmp_path), job)
    assert isinstance(answer, KdError)
    assert "the Hub is closed" in str(answer)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-", "-o", "b.png", "--engine", "ray"], "--engine ray has no stdin and stdout"),
        (["a.png", "-o", "-", "--engine", "ray"], "--engine ray has no stdin and stdout"),
        (["a.png", "-o", "b.png", "--ray-address", "here:1"], "--ray-address here:1 has no use without"),
        (["a.png", "-o", "b.png", "--engine", "ray", "--device", "cuda:1"], "Ray hands the GPUs out itself"),
    ],
)
def test_what_cannot_be_asked_of_ray(
    words: list[str],
    said: str,
    photo_file: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photo_file("a.png").parent)
    monkeypatch.setattr("kdcli.jobs.pipes.check_pipes", lambda **_: None)
    assert kd(["deblur", *words]) == 2
    assert said in capsys.readouterr().err


def test_without_ray_the_command_to_install_it_is_told(
    photo_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photo_file("a.png").parent)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert kd(["deblur", "a.png", "-o", "b.png", "--engine", "ray"]) == 2
    assert "kd: error: --engine ray needs Ray: pip install 'kdcli[ray]'" in capsys.readouterr().err


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of small photos and a file that is none, and a kernel: restoring alone is quick."""
    (tmp_path / "shots").mkdir()
    for number in range(COUNT):
        ending = ("png", "jpg", "tif")[number % 3]
        Image.fromarray(pattern(120 + number, 160)).save(tmp_path / "shots" / f"{number}.{ending}")
    (tmp_path / "shots" / "bad.jpg").write_text("Dear photo, ...")
    np.save(tmp_path / "kernel.npy", np.ones((1, 5)))
    return tmp_path


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kdcli", "deblur", "shots", "--psf", "kernel.npy", "--jobs", "2", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers(run: subprocess.Popen[str]) -> list[int]:
    """The processes below a run that do its jobs."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue

    def is_below(number: int) -> bool:
        return number == run.pid or (number in parents and is_below(parents[number]))

    return [
        number
        for number in filter(is_below, parents)
        if b"RayWorker" in Path(f"/proc/{number}/cmdline").read_bytes()
    ]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc")
def test_a_killed_worker_costs_nothing_and_bytes_are_those_of_the_local_engine(photos: Path) -> None:
    pytest.importorskip("ray.data", reason="needs pip install 'kdcli[ray]'")
    local = start(photos, "-o", "local")
    said = local.communicate(timeout=300)[1]
    assert f"{COUNT} of {COUNT + 1} photos written, 1 failed" in said

    run = start(photos, "-o", "out", "--engine", "ray", "--json", "--save-psf")
    assert run.stdout is not None
    rows = [run.stdout.readline()]
    killed = workers(run)
    os.kill(killed[0], signal.SIGKILL)
    rest, said = run.communicate(timeout=300)
    assert run.returncode == 1, said
    rows += rest.splitlines()

    results = sorted((Path(row["input"]).name, row["status"]) for row in map(json.loads, rows))
    assert results == [*((path, "done") for path in sorted(content(photos / "local"))), ("bad.jpg", "failed")]
    written = content(photos / "out")
    assert {name: data for name, data in written.items() if ".psf." not in name} == content(photos / "local")
    assert len(written) == 2 * COUNT
    assert said.splitlines()[-1].startswith(f"kd: {COUNT} of {COUNT + 1} photos written, 1 failed")
    assert len(said.splitlines()) == COUNT + 3  # Ray is silent
