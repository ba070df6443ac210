"""Runs over a data set: several methods, failures, interruption and going on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdcli.bench import run
from kdcli.bench.dataset import Pair
from kdcli.bench.journal import Journal
from kdcli.bench.methods import Answer
from kdcli.bench.run import Bench, BenchConfig, run_bench
from kdcli.engine.options import PRESETS
from kdcli.errors import KdError, UsageError

OPTIONS = PRESETS["balanced"]


@dataclass(frozen=True)
class Grains:
    """Pairs of grainy photos, the sharp one and a flatter one, under the kernel of no blur."""

    name: str = "grains"
    names: tuple[str, ...] = ("a.png", "b.png", "c.png")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        sharp = np.random.default_rng(index).uniform(size=(96, 96, 3)).astype(np.float32)
        kernel = np.zeros((64, 64), dtype=np.float32)
        kernel[32, 32] = 1
        return Pair(self.names[index], sharp, (0.5 + 0.5 * (sharp - 0.5)).astype(np.float32), kernel)


@dataclass
class Contrast:
    """Gives back half of the contrast that is missing; counts its calls, fails where told."""

    name: str
    calls: list[str]
    fails: str = ""

    def __call__(self, pair: Pair) -> Answer:
        self.calls.append(pair.name)
        if pair.name == self.fails:
            raise KdError("no luck")
        return Answer((0.5 + 1.5 * (pair.blurred - 0.5)).astype(np.float32), pair.kernel, {"restore": 0.25})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []

    def make(name: str, *_: Any) -> Any:
        if name == "identity":
            return lambda pair: Answer(pair.blurred)
        return Contrast(name, seen, fails="b.png" if name == "weak" else "")

    monkeypatch.setattr(run, "make_method", make)
    return seen


def config(*methods: str, **more: Any) -> BenchConfig:
    return BenchConfig(methods, OPTIONS, **more)


def test_every_method_is_measured_on_the_same_images(calls: list[str]) -> None:
    result = run_bench(Grains(), config("strong", "identity"))  # type: ignore[arg-type]
    assert (result["dataset"], result["preset"], result["count"]) == ("grains", "balanced", 3)
    strong, identity = result["methods"]
    assert [image["name"] for image in identity["images"]] == ["a.png", "b.png", "c.png"]
    assert result["mean"] == strong["mean"]
    assert result["images"] == strong["images"]
    assert strong["better_than_input"] == 3
    assert identity["better_than_input"] == 0
    first = strong["images"][0]
    # Half of the contrast is lost, then half of it back: the error halves, 6.02 dB.
    assert first["psnr"] - first["psnr_input"] == pytest.approx(20 * np.log10(2), abs=0.01)
    assert first["seconds_restore"] == 0.25
    assert first["mnc"] == identity["mean"]["mnc"] == pytest.approx(1)
    assert strong["mean"]["psnr"] == pytest.approx(np.mean([i["psnr"] for i in strong["images"]]))
    assert json.loads(json.dumps(result)) == result
    assert result["peak_memory_mib"] is None or result["peak_memory_mib"] > 10


def test_a_failure_is_counted_and_the_rest_measured(calls: list[str]) -> None:
    result = run_bench(Grains(), config("weak", "identity"))  # type: ignore[arg-type]
    weak = result["methods"][0]
    assert weak["failed"] == [{"name": "b.png", "error": "no luck"}]
    assert weak["count"] == 2
    assert [image["name"] for image in weak["images"]] == ["a.png", "c.png"]
    assert result["methods"][1]["count"] == 3


def test_a_limit_takes_the_first_images(calls: list[str]) -> None:
    result = run_bench(Grains(), config("strong", limit=2))  # type: ignore[arg-type]
    assert result["count"] == 2
    assert calls == ["a.png", "b.png"]


def test_an_interrupted_run_goes_on(calls: list[str], tmp_path: Path) -> None:
    kept = tmp_path / "result.json.partial"

    def interrupt(_stage: str, fraction: float) -> None:
        if fraction > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Journal(kept, {"seed": 1}) as journal:
        run_bench(Grains(), config("strong"), journal=journal, progress=interrupt)  # type: ignore[arg-type]
    assert calls == ["a.png", "b.png"]
    with kept.open("a") as file:
        file.write('{"method": 0, "ima')  # killed while writing
    seen: list[float] = []
    with Journal(kept, {"seed": 1}, resume=True) as journal:
        result = run_bench(
            Grains(),  # type: ignore[arg-type]
            config("strong"),
            journal=journal,
            progress=lambda _, fraction: seen.append(fraction),
        )
    assert calls == ["a.png", "b.png", "c.png"]
    assert seen == [1.0]
    whole = run_bench(Grains(), config("strong"))  # type: ignore[arg-type]
    for image in (*result["images"], *whole["images"]):
        del image["seconds"]
    assert result["images"] == whole["images"]


def test_what_failed_is_tried_again(calls: list[str], tmp_path: Path) -> None:
    kept = tmp_path / "partial"
    with Journal(kept, {}) as journal:
        run_bench(Grains(), config("weak"), journal=journal)  # type: ignore[arg-type]
    with Journal(kept, {}, resume=True) as journal:
        assert sorted(journal.done) == [(0, 0), (0, 2)]


def test_a_journal_of_other_settings_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "partial", {"seed": 1}):
        pass
    with pytest.raises(UsageError, match="other settings"):
        Journal(tmp_path / "partial", {"seed": 2}, resume=True)
    with Journal(tmp_path / "partial", {"seed": 2}):
        pass  # without --resume it starts anew


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(KdError, match="cannot write"):
        Journal(tmp_path / "none" / "partial", {})


def test_jobs_give_what_one_process_gives() -> None:
    one, two = (
        run_bench(Grains(), config("identity", jobs=jobs))  # type: ignore[arg-type]
        for jobs in (1, 2)
    )
    for result in (one, two):
        for image in result["images"]:
            del image["seconds"]
    assert one["images"] == two["images"]


def test_an_unknown_method_fails_before_anything_is_measured() -> None:
    with pytest.raises(UsageError, match="unknown method"):
        _ = Bench(Grains(), config("identity", "dwdn")).methods  # type: ignore[arg-type]
