"""Runs over a data set: several methods, failures, interruption and going on."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from multiprocessing import active_children
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from kdcli.bench import bench as bench_module
from kdcli.bench.answer import Answer
from kdcli.bench.bench import Bench, BenchConfig
from kdcli.bench.dataset import Pair
from kdcli.bench.datasets import open_dataset
from kdcli.bench.journal import Journal
from kdcli.bench.results import read_result, to_json
from kdcli.bench.run import _summary, run_bench
from kdcli.bench.statistics import better_than_input
from kdcli.engine.options import PRESETS
from kdcli.errors import KdError, UsageError
from tests.bench.conftest import timeless

OPTIONS = PRESETS["balanced"]


@dataclass(frozen=True)
class Grains:
    """Pairs of grainy photos, the sharp one and a flatter one, under the kernel of no blur."""

    name: str = "grains"
    names: tuple[str, ...] = ("a.png", "b.png", "c.png")
    side: ClassVar[int] = 96

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        sharp = np.random.default_rng(index).uniform(size=(self.side, self.side, 3)).astype(np.float32)
        kernel = np.zeros((64, 64), dtype=np.float32)
        kernel[32, 32] = 1
        return Pair(self.names[index], sharp, (0.5 + 0.5 * (sharp - 0.5)).astype(np.float32), kernel)


@dataclass
class Contrast:
    """Gives back half of the contrast that is missing; counts its calls, fails where told."""

    name: str
    calls: list[str]
    fails: str = ""
    error: Exception = field(default_factory=lambda: KdError("no luck"))

    def __call__(self, pair: Pair) -> Answer:
        self.calls.append(pair.name)
        if pair.name == self.fails:
            raise self.error
        return Answer((0.5 + 1.5 * (pair.blurred - 0.5)).astype(np.float32), pair.kernel, {"restore": 0.25})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []

    def make(name: str, *_: Any) -> Any:
        if name == "identity":
            return lambda pair: Answer(pair.blurred)
        errors = {"weak": KdError("no luck"), "faulty": ValueError("two\nlines"), "huge": MemoryError()}
        return Contrast(name, seen, "b.png" if name in errors else "", errors.get(name, KdError("")))

    monkeypatch.setattr(bench_module, "make_method", make)
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


def test_a_failure_is_counted_and_the_rest_measured(calls: list[str]) -> None:
    result = run_bench(Grains(), config("weak", "identity"))  # type: ignore[arg-type]
    weak = result["methods"][0]
    assert weak["failed"] == [{"name": "b.png", "error": "no luck"}]
    assert weak["count"] == 2
    assert [image["name"] for image in weak["images"]] == ["a.png", "c.png"]
    assert result["methods"][1]["count"] == 3


@pytest.mark.parametrize(
    ("method", "said"), [("faulty", "unexpected ValueError: two lines"), ("huge", "out of memory")]
)
def test_no_failure_is_fatal(calls: list[str], method: str, said: str) -> None:
    (summary,) = run_bench(Grains(), config(method))["methods"]  # type: ignore[arg-type]
    assert [image["name"] for image in summary["images"]] == ["a.png", "c.png"]
    (failed,) = summary["failed"]
    assert failed["name"] == "b.png"
    assert said in failed["error"]


def test_pictures_too_small_for_some_measure_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grains, "side", 64)
    (summary,) = run_bench(Grains(), config("identity"))["methods"]  # type: ignore[arg-type]
    assert summary["count"] == 0
    assert all(row["error"].startswith("images of (64, 64, 3)") for row in summary["failed"])


def test_a_pair_without_blur_leaves_the_means_finite(tmp_path: Path) -> None:
    rows = [
        {"name": "a.png", "psnr": float("inf"), "psnr_input": float("inf")},
        {"name": "b.png", "psnr": 25.0, "psnr_input": 20.0},
    ]
    live = _summary("kd", rows, {})
    assert live["mean"] == {"psnr": 25.0, "psnr_input": 20.0}
    (tmp_path / "r.json").write_text(to_json({"methods": [live]}))
    (read,) = read_result(tmp_path / "r.json")["methods"]
    assert better_than_input(live) == better_than_input(read) == 1
    assert live["better_than_input"] == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts a peak anew")
def test_peak_memory_is_that_of_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def hold(pair: Pair) -> Answer:
        block = np.ones(25_000_000) if pair.name == "b.png" else None  # 191 MiB
        del block
        return Answer(pair.blurred)

    monkeypatch.setattr(bench_module, "make_method", lambda *_: hold)
    images = run_bench(Grains(), config("hold"))["images"]  # type: ignore[arg-type]
    before, there, after = (image["peak_memory_mib"] for image in images)
    assert there - before > 180
    assert there - after > 180
    assert 10 < before < 100_000


def test_stages_are_parts_of_the_seconds() -> None:
    (summary,) = run_bench(open_dataset("demo"), config("wiener", limit=1))["methods"]
    (image,) = summary["images"]
    assert 0 < image["seconds_restore"] <= image["seconds"]
    assert summary["mean"]["seconds_restore"] == image["seconds_restore"]


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
    assert timeless(result) == timeless(whole)


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


def test_calibration_is_a_rank_correlation(monkeypatch: pytest.MonkeyPatch) -> None:
    confident = {"a.png": (0.9, 0.8), "b.png": (0.5, 0.7), "c.png": (0.4, 0.75)}

    def measure(bench: Bench, tasks: list[tuple[int, int]]) -> list[dict[str, Any]]:
        names = [bench.dataset.names[image] for _, image in tasks]
        values = [dict(zip(("confidence", "mnc"), confident[name], strict=True)) for name in names]
        return [{"name": n, "psnr": 1.0, "psnr_input": 0.0, **v} for n, v in zip(names, values, strict=True)]

    monkeypatch.setattr(Bench, "measure", measure)
    monkeypatch.setattr(bench_module, "make_method", lambda *_: None)
    result = run_bench(Grains(), config("kd"))  # type: ignore[arg-type]
    # Ranks 3, 2, 1 against 3, 1, 2: 1 - 6 * 2 / (3 * 8).
    assert result["mean"]["calibration"] == pytest.approx(0.5)
    assert "calibration" not in run_bench(Grains(), config("kd", limit=2))["mean"]  # type: ignore[arg-type]


def test_images_that_go_together_are_of_one_method() -> None:
    bench = Bench(Grains(), config("identity", "kd", batch=2))  # type: ignore[arg-type]
    groups = list(bench.groups(list(bench.tasks())))
    assert groups == [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, 2)], [(1, 2)]]
    left = [(1, 0), (1, 1), (1, 2), (0, 2)]  # of a run that was interrupted
    assert list(bench.groups(left)) == [[(1, 0), (1, 1)], [(1, 2)], [(0, 2)]]


def test_one_that_fails_in_a_batch_is_found_out(calls: list[str]) -> None:
    result = run_bench(Grains(), config("weak", batch=3))  # type: ignore[arg-type]
    assert [row["name"] for row in result["methods"][0]["failed"]] == ["b.png"]
    assert [row["name"] for row in result["images"]] == ["a.png", "c.png"]


def test_jobs_give_what_one_process_gives() -> None:
    one, two = (
        timeless(run_bench(Grains(), config("identity", jobs=jobs)))  # type: ignore[arg-type]
        for jobs in (1, 2)
    )
    assert one == two


def test_photos_that_are_gone_are_restored_again(calls: list[str], tmp_path: Path) -> None:
    kept, pictures = tmp_path / "partial", tmp_path / "pictures"
    settings = config("strong", gallery=pictures)
    pictures.mkdir()
    (pictures / "9-9.npz").touch()  # of an older run
    with Journal(kept, {}) as journal:
        run_bench(Grains(), settings, journal=journal)  # type: ignore[arg-type]
    assert sorted(path.name for path in pictures.iterdir()) == ["0-0.npz", "0-1.npz", "0-2.npz"]
    (pictures / "0-1.npz").unlink()
    with Journal(kept, {}, resume=True) as journal:
        run_bench(Grains(), settings, journal=journal)  # type: ignore[arg-type]
    assert calls == ["a.png", "b.png", "c.png", "b.png"]


def test_a_process_that_is_killed_is_a_failed_image() -> None:
    (summary,) = run_bench(Deadly(), config("identity", jobs=2))["methods"]  # type: ignore[arg-type]
    assert [image["name"] for image in summary["images"]] == ["a.png", "c.png"]
    (failed,) = summary["failed"]
    assert failed["name"] == "b.png"
    assert "its process ended with code 9: out of memory?" in failed["error"]
    assert not active_children()


@dataclass(frozen=True)
class Deadly(Grains):
    """Whichever process looks at its second pair is gone."""

    def __getitem__(self, index: int) -> Pair:
        if index == 1:
            os._exit(9)
        return super().__getitem__(index)


def test_an_unknown_method_fails_before_anything_is_measured() -> None:
    with pytest.raises(UsageError, match="unknown method"):
        _ = Bench(Grains(), config("identity", "dwdn")).methods  # type: ignore[arg-type]
