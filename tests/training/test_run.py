"""A run from photos to a weights file: ended, stopped by a signal, gone on with."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from PIL import Image

from kdcli.errors import KdError, UsageError
from kdcli.nets.estimator import KernelNet
from kdcli.training import run
from kdcli.training.kernel import KernelTask
from kdcli.training.loop import Progress
from kdcli.training.run import TrainConfig, train
from kdcli.weights.header import read_metadata
from kdcli.weights.store import load_state

Report = Callable[[Progress, dict[str, float] | None], None]


def silent(progress: Progress, scores: dict[str, float] | None) -> None:
    pass


def stop_after(step: int, number: int) -> Report:
    def report(progress: Progress, scores: dict[str, float] | None) -> None:
        if progress.step == step:
            os.kill(os.getpid(), number)

    return report


def state(folder: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    return checkpoint


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def steps(folder: Path) -> list[int]:
    return [int(line["step"]) for line in log(folder)]


@pytest.mark.parametrize("network", ["kernel", "solver"])
def test_a_run_leaves_weights_log_and_samples(
    small: dict[str, Any], network: Literal["kernel", "solver"]
) -> None:
    seen: list[int] = []
    path = train(TrainConfig(network=network, **small), lambda progress, _: seen.append(progress.step))
    out = small["out"]
    assert path == out / f"{network}.safetensors"
    names = {"checkpoint.pt", "log.jsonl", "samples.png", "upload", path.name}
    assert {p.name for p in out.iterdir()} == names
    uploaded = {p.name for p in (out / "upload").iterdir()}
    assert uploaded == {"config.json", "README.md", "samples.png", path.name}
    assert (out / "upload" / path.name).read_bytes() == path.read_bytes()
    assert seen == steps(out) == [1, 2]
    assert all(math.isfinite(line["loss"]) and line["lr"] > 0 for line in log(out))
    with Image.open(out / "samples.png") as sheet:
        assert sheet.width == 256  # one pair held out
    metadata = read_metadata(path)
    assert metadata["architecture"] == {"kernel": "kernel-2", "solver": "solver-5"}[network]
    assert metadata["command"] == "kd train"
    fresh = run.KernelNet() if network == "kernel" else run.Solver()
    before = {n: w.clone() for n, w in fresh.state_dict().items()}
    fresh.load_state_dict(load_state(path))
    assert any(not torch.equal(before[n], w) for n, w in fresh.state_dict().items())


@pytest.mark.parametrize(("network", "number"), [("kernel", signal.SIGTERM), ("solver", signal.SIGINT)])
def test_a_stopped_run_goes_on_bit_for_bit(
    small: dict[str, Any], tmp_path: Path, network: Literal["kernel", "solver"], number: int
) -> None:
    small["steps"] = 4
    whole = TrainConfig(network=network, **small)
    train(whole, silent)

    small["out"] = tmp_path / "halves"
    train(TrainConfig(network=network, **small), stop_after(2, number))
    assert steps(small["out"]) == [1, 2]
    assert state(small["out"])["progress"]["step"] == 2
    path = train(TrainConfig(network=network, **small, resume=True), silent)

    assert steps(small["out"]) == [1, 2, 3, 4]
    once, twice = state(whole.out), state(small["out"])
    for part in ("network", "averages"):
        assert once[part].keys() == twice[part].keys()
        assert all(torch.equal(w, twice[part][n]) for n, w in once[part].items()), part
    assert once["maker"]["numpy"] == twice["maker"]["numpy"]
    assert once["progress"]["loss"] == twice["progress"]["loss"]
    one, other = load_state(whole.out / path.name), load_state(path)
    assert all(torch.equal(w, other[n]) for n, w in one.items())


def test_a_run_killed_while_it_validates_has_left_its_weights(
    small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(KernelTask, "sheet", killed)
    with pytest.raises(KeyboardInterrupt):
        train(TrainConfig(network="kernel", **small), silent)
    assert load_state(small["out"] / "kernel.safetensors").keys() == KernelNet().state_dict().keys()


def test_other_seeds_give_other_weights(small: dict[str, Any], tmp_path: Path) -> None:
    small["steps"], small["network"] = 1, "solver"
    first = load_state(train(TrainConfig(**small), silent))
    small["out"] = tmp_path / "other"
    other = load_state(train(TrainConfig(**small, seed=1), silent))
    assert not torch.equal(first["prior.head.weight"], other["prior.head.weight"])


def test_the_solver_learns_with_an_estimators_kernels(small: dict[str, Any], tmp_path: Path) -> None:
    small["steps"] = 1
    estimator = train(TrainConfig(network="kernel", **small), silent)
    before = estimator.read_bytes()
    small["out"] = tmp_path / "solver"
    path = train(TrainConfig(network="solver", **small, estimator=estimator), silent)
    scores = dict(part.split(" ") for part in read_metadata(path)["validation"].split(", "))
    assert scores["psnr_estimated"] != scores["psnr_true"]
    assert (small["out"] / "upload" / "kernel.safetensors").read_bytes() == before
    assert scores["psnr_true"] in (small["out"] / "upload" / "README.md").read_text()
    assert estimator.read_bytes() == before


def test_the_judge_learns_by_an_estimators_kernels_and_a_solvers_photos(
    small: dict[str, Any], tmp_path: Path
) -> None:
    small["steps"] = 1
    taught = {}
    for network in ("kernel", "solver"):
        small["out"] = tmp_path / network
        taught["estimator" if network == "kernel" else network] = train(
            TrainConfig(network=network, **small),
            silent,
        )
    small |= {"out": tmp_path / "judge", "steps": 2}
    path = train(TrainConfig(network="judge", **small, **taught), silent)
    assert steps(small["out"]) == [1, 2]
    assert all(math.isfinite(line["loss"]) for line in log(small["out"]))
    metadata = read_metadata(path)
    assert metadata["architecture"] == "judge-1"
    scores = dict(part.split(" ") for part in metadata["validation"].split(", "))
    assert -1 <= float(scores["rank_correlation"]) <= 1
    assert 0 <= float(scores["error"]) <= 1
    uploaded = {p.name for p in (small["out"] / "upload").iterdir()}
    assert uploaded >= {"kernel.safetensors", "solver.safetensors", "judge.safetensors"}
    assert "that the judge expects" in (small["out"] / "upload" / "README.md").read_text()
    small["steps"] = 3  # what a judge remembers is made anew
    path = train(TrainConfig(network="judge", **small, **taught, resume=True), silent)
    assert steps(small["out"]) == [1, 2, 3]
    assert read_metadata(path)["steps"] == "3"
    other = {**taught, "solver": None}
    with pytest.raises(UsageError, match="--solver"):
        train(TrainConfig(network="judge", **{**small, "out": tmp_path / "none"}, **other), silent)


def test_a_run_starts_from_given_weights(small: dict[str, Any], tmp_path: Path) -> None:
    small["steps"], small["network"] = 1, "solver"
    start = train(TrainConfig(**small), silent)
    small["out"] = tmp_path / "second"
    second = train(TrainConfig(**small, init=start, lr=0.0), silent)
    one, other = load_state(start), load_state(second)
    assert all(torch.equal(w, other[n]) for n, w in one.items())


def test_a_run_that_exists_is_not_overwritten(small: dict[str, Any]) -> None:
    small["out"].mkdir()
    (small["out"] / "checkpoint.pt").write_bytes(b"precious")
    with pytest.raises(UsageError, match="--resume"):
        train(TrainConfig(network="kernel", **small), silent)
    assert (small["out"] / "checkpoint.pt").read_bytes() == b"precious"


def test_nothing_to_resume(small: dict[str, Any]) -> None:
    with pytest.raises(KdError, match="without --resume"):
        train(TrainConfig(network="kernel", **small, resume=True), silent)


@pytest.mark.parametrize("size", [64, 100, 250])
def test_crop_sizes_that_do_not_fit(small: dict[str, Any], size: int) -> None:
    with pytest.raises(UsageError, match=str(size)):
        train(TrainConfig(network="kernel", **{**small, "size": size}), silent)


def test_photos_that_are_none(small: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        train(TrainConfig(network="kernel", **{**small, "photos": tmp_path / "none"}), silent)
    with pytest.raises(UsageError, match="no photo of at least 256"):
        train(TrainConfig(network="kernel", **{**small, "photos": tmp_path}), silent)
    assert not small["out"].exists()


def test_half_the_scale_alone_can_be_trained(small: dict[str, Any]) -> None:
    path = train(TrainConfig(network="kernel", **{**small, "steps": 1}, fine=0), silent)
    network = KernelNet((8, 8, 8), (16, 16, 16))
    network.load_state_dict(load_state(path))
    assert "mnc1 " in read_metadata(path)["validation"]


def test_a_damaged_checkpoint_is_one_clear_line(small: dict[str, Any]) -> None:
    small["steps"] = 1
    train(TrainConfig(network="solver", **small), silent)
    (small["out"] / "checkpoint.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(KdError, match="is damaged, or of another version"):
        train(TrainConfig(network="solver", **small, resume=True), silent)


def test_a_checkpoint_of_the_other_network_is_refused(small: dict[str, Any]) -> None:
    small["steps"] = 1
    train(TrainConfig(network="solver", **small), silent)
    with pytest.raises(UsageError, match=r"of a run with network solver \(now kernel\): repeat"):
        train(TrainConfig(network="kernel", **small, resume=True), silent)


def test_a_run_goes_on_with_the_settings_that_it_was_begun_with(small: dict[str, Any]) -> None:
    small |= {"network": "solver", "steps": 1}
    train(TrainConfig(**small), silent)
    before = (small["out"] / "checkpoint.pt").read_bytes()
    other = {"batch": 1, "lr": 1e-3, "family": "motion", "size": 128, "seed": 4}
    with pytest.raises(UsageError) as caught:
        train(TrainConfig(**{**small, **other, "steps": 2}, resume=True), silent)
    for told in ("--batch 2 (now 1)", "--lr 0.002 (now 0.001)", "--kernels mixed (now motion)", "--size 96"):
        assert told in str(caught.value)
    assert "--seed 0 (now 4)" in str(caught.value)
    assert (small["out"] / "checkpoint.pt").read_bytes() == before
    assert steps(small["out"]) == [1]


def test_a_run_does_not_go_on_with_another_estimator_or_other_photos(
    small: dict[str, Any], tmp_path: Path
) -> None:
    small |= {"network": "solver", "steps": 1}
    train(TrainConfig(**small), silent)
    estimator = train(TrainConfig(**{**small, "network": "kernel", "out": tmp_path / "one"}), silent)
    with pytest.raises(UsageError, match=r"--estimator none \(now [0-9a-f]{12}\)"):
        train(TrainConfig(**small, estimator=estimator, resume=True), silent)
    (tmp_path / "more").mkdir()
    for i in range(4):
        Image.effect_noise((272, 256), 60).convert("RGB").save(tmp_path / "more" / f"{i}.png")
    with pytest.raises(UsageError, match=r"photos 3 \(now 4\)"):
        train(TrainConfig(**{**small, "photos": tmp_path / "more"}, resume=True), silent)


def test_steps_after_the_last_checkpoint_are_logged_once(small: dict[str, Any]) -> None:
    small["network"] = "solver"
    train(TrainConfig(**{**small, "steps": 1}), silent)
    with (small["out"] / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "loss": 9}\n{"step": 3, "lo')  # killed here
    train(TrainConfig(**small, resume=True), silent)
    assert steps(small["out"]) == [1, 2]
    assert log(small["out"])[1]["loss"] != 9
