"""Jobs done together: each has its own result, whatever becomes of the others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from kdcli.engine.options import PRESETS
from kdcli.jobs.job import Job, Settings
from kdcli.jobs.worker import Worker
from tests.conftest import FakeEngine, pattern


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Five photos, the third of which is none."""
    made = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        if number == 2:
            path.write_bytes(b"no photo")
        else:
            iio.imwrite(path, pattern() + number)
        made.append(Job(path, tmp_path / f"{number}.out.png"))
    return made


def settings(**more: Any) -> Settings:
    return Settings(PRESETS["fast"], **more)


def test_photos_go_to_the_networks_in_batches(engine: FakeEngine, jobs: list[Job]) -> None:
    results = list(Worker(settings(batch=2)).attempt_all(jobs))
    assert engine.batches == [2, 2]
    by_name = {result.job.input.name: result for result in results if result.job.input}
    assert [by_name[f"{n}.png"].status for n in range(5)] == ["done", "done", "failed", "done", "done"]
    assert "2.png" in by_name["2.png"].message
    for number in (0, 1, 3, 4):
        written = iio.imread(jobs[number].output)
        np.testing.assert_array_equal(written, 255 - (pattern() + number))


def test_on_a_processor_they_come_one_by_one(engine: FakeEngine, jobs: list[Job]) -> None:
    results = Worker(settings()).attempt_all(jobs)
    assert next(results).job == jobs[0]
    assert not jobs[1].output.exists()  # type: ignore[union-attr]
    assert sum(result.status == "done" for result in results) == 3
    assert engine.batches == []


def test_a_batch_that_fails_is_done_one_by_one(
    engine: FakeEngine, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(sys.modules["kdcli.engine.deblur"], "deblur_images", too_much)
    results = list(Worker(settings(batch=4)).attempt_all(jobs))
    assert sorted(result.status for result in results) == ["done"] * 4 + ["failed"]


def test_a_batch_is_no_larger_than_memory_bears(
    engine: FakeEngine, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdcli.jobs.worker._MOST_VALUES", 10)
    list(Worker(settings(batch=4)).attempt_all(jobs))
    assert engine.batches == [1, 1, 1, 1]
