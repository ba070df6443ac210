"""URLs of folders and patterns become photos, as paths do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kdcli.errors import UsageError
from kdcli.files.place import to_place
from kdcli.jobs.inputs import find, named
from kdcli.jobs.job import Job
from kdcli.jobs.plan import Naming, check, plan

fsspec = pytest.importorskip("fsspec", reason="needs pip install 'kdcli[ray]'")
pytest.importorskip("upath", reason="needs pip install 'kdcli[ray]'")

SHOTS = (
    "b.jpg",
    "a.PNG",
    "notes.txt",
    ".c.png",
    "day1/d.jpg",
    "day1/deep/e.tif",
    "day2/d.jpg",
    ".cache/f.jpg",
)


@pytest.fixture(autouse=True)
def _shots() -> Iterator[None]:
    memory = fsspec.filesystem("memory")
    for name in SHOTS:
        memory.pipe_file(f"/shots/{name}", b"")
    yield
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def found(*words: str, recursive: bool = False, leave_out: str | None = None) -> list[str]:
    answer = find(
        [f"memory://{word}" for word in words],
        recursive=recursive,
        leave_out=to_place(f"memory://{leave_out}") if leave_out else None,
    )
    assert answer.notes == answer.closed == []
    assert all(str(source.path).endswith(source.below.as_posix()) for source in answer.sources)
    return [source.below.as_posix() for source in answer.sources]


def test_a_folder_means_the_photos_in_it() -> None:
    assert found("shots/") == found("shots") == ["a.PNG", "b.jpg"]
    assert found("shots", recursive=True)[2:] == ["day1/d.jpg", "day1/deep/e.tif", "day2/d.jpg"]


def test_patterns_keep_the_folders_that_they_leave_open() -> None:
    assert found("shots/*.jpg") == ["b.jpg"]
    assert found("shots/day*/d.*") == ["day1/d.jpg", "day2/d.jpg"]
    assert found("shots/**/*.tif") == ["day1/deep/e.tif"]


def test_an_output_folder_among_the_inputs_is_not_searched() -> None:
    assert "day1/d.jpg" not in found("shots", recursive=True, leave_out="shots/day1")
    assert found("shots/day1", leave_out="shots/day1") == ["d.jpg"]


def test_each_photo_comes_once_and_words_in_vain_are_told() -> None:
    assert found("shots/b.jpg", "shots/*.jpg", "shots/none.jpg") == ["b.jpg", "none.jpg"]
    assert find(["memory://shots/*.gif", "memory://shots/day1/deep/"]).notes == [
        "memory://shots/*.gif matches no photo"
    ]


def test_outputs_are_named_and_refused_as_those_of_paths() -> None:
    sources = find(["memory://shots"], recursive=True).sources
    planned = plan(sources, Naming("memory://out/", "_s", "png"))
    assert [str(job.output) for job in planned.jobs][:3] == [
        "memory://out/a_s.png",
        "memory://out/b_s.png",
        "memory://out/day1/d_s.png",
    ]
    assert str(planned.jobs[2].by_product("psf")) == "memory://out/day1/d.psf.png"
    [beside] = plan([named("memory://shots/b.jpg")], Naming()).jobs
    assert str(beside.output) == "memory://shots/b.deblurred.jpg"
    assert str(plan([named("b.jpg")], Naming("memory://shots")).jobs[0].output) == "memory://shots/b.jpg"

    there = Job(to_place("memory://shots/b.jpg"), to_place("memory://shots/day1/d.jpg"))
    with pytest.raises(UsageError, match="exists already: choose"):
        check([there])
    assert check([there, beside], skip_existing=True) == ([beside], [there])
    with pytest.raises(UsageError, match="is an input and would be lost"):
        check([Job(to_place("memory://shots/b.jpg"), to_place("memory://shots/b.jpg"))], overwrite=True)
