"""What outputs are called, and which are refused before anything is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdcli.errors import UsageError
from kdcli.jobs.inputs import STDIN, Source, find, named
from kdcli.jobs.job import Job
from kdcli.jobs.plan import Naming, check, plan


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photos in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.JPG", "day/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def outputs(names: list[str], *naming: str | None, recursive: bool = False) -> list[str]:
    sources = find(names, recursive=recursive).sources
    return [str(job.output) for job in plan(sources, Naming(*naming)).jobs]


def test_one_photo_goes_to_the_file_that_is_named(here: Path) -> None:
    assert outputs(["a.jpg"], "out.png") == ["out.png"]


def test_photos_go_to_a_folder_under_their_own_names(here: Path) -> None:
    assert outputs(["a.jpg"], "out/") == ["out/a.jpg"]
    assert outputs(["a.jpg"], "day") == ["day/a.jpg"]
    assert outputs(["a.jpg", "b.JPG"], "out") == ["out/a.jpg", "out/b.JPG"]
    assert outputs(["."], "out/", recursive=True) == ["out/a.jpg", "out/b.JPG", "out/day/a.jpg"]
    assert outputs(["day"], "out") == ["out/a.jpg"]  # however many there are


def test_suffix_and_format(here: Path) -> None:
    assert outputs(["a.jpg", "b.JPG"], "out", "_sharp", "png") == ["out/a_sharp.png", "out/b_sharp.png"]
    assert outputs(["a.jpg"], None, None, "tif") == ["a.deblurred.tif"]
    assert outputs(["a.jpg"], None, "-2") == ["a-2.jpg"]
    assert outputs(["x.heic", "x.y.webp"], "out") == ["out/x.png", "out/x.y.webp"]


def test_stdin_and_stdout(here: Path) -> None:
    assert plan([STDIN], Naming()).jobs[0].output is None
    assert plan([STDIN], Naming("-")).jobs[0].output is None
    assert plan([STDIN], Naming("out.png")).jobs[0].output == Path("out.png")
    assert plan([named("a.jpg")], Naming("-")).jobs == [Job(Path("a.jpg"), None)]


def test_kernels_lie_beside_the_outputs(here: Path) -> None:
    sources = find(["."], recursive=True).sources
    kernels = [str(job.by_product("psf")) for job in plan(sources, Naming("out", "_sharp")).jobs]
    assert kernels == ["out/a.psf.png", "out/b.psf.png", "out/day/a.psf.png"]


def test_outputs_of_a_run_before_are_no_inputs(here: Path) -> None:
    for name in ("a.deblurred.jpg", "a.psf.png", "a.compare.png", "a.preview.png", "c.deblurred.jpg"):
        (here / name).touch()
    assert outputs(["."]) == ["a.deblurred.jpg", "b.deblurred.JPG", "c.deblurred.deblurred.jpg"]
    # Named ones are inputs, which then may not be lost, unless a run is taken up.
    names = ["a.jpg", "a.deblurred.jpg"]
    sources = [named(name) for name in names]
    with pytest.raises(UsageError, match="is an input and would be lost"):
        check(plan(sources, Naming()).jobs, overwrite=True)
    assert [str(job.input) for job in plan(sources, Naming(), skip_existing=True).jobs] == ["a.jpg"]


def test_photos_called_as_outputs_are_not_lost(here: Path) -> None:
    """Where outputs have no suffix, nothing tells an original from the output of a run before."""
    (here / "a.tif").touch()
    for words, naming in ((["."], Naming(".", format="jpg")), (["day", "."], Naming("day"))):
        planned = plan(find(words).sources, naming).jobs
        assert len(planned) > 2
        with pytest.raises(UsageError, match=r"a\.jpg .*(is an input and would be lost|both be written)"):
            check(planned, overwrite=True)
    # To go on after an interruption loses nothing, and finds the outputs of the run before.
    planned = plan(find(["."]).sources, Naming(".", format="jpg"), skip_existing=True).jobs
    assert "a.jpg" not in [str(job.input) for job in planned]


def test_what_two_words_mean_alike_is_done_once(here: Path) -> None:
    sources = find([".", "day"], recursive=True).sources
    assert len(sources) == 4
    assert [str(job.input) for job in plan(sources, Naming()).jobs] == ["a.jpg", "b.JPG", "day/a.jpg"]


@pytest.mark.parametrize(
    ("sources", "naming", "said"),
    [
        ([named("a.jpg"), named("b.JPG")], Naming("out.png"), "2 photos cannot all go to out.png"),
        ([named("a.jpg"), named("b.JPG")], Naming("-"), "cannot all go to stdout"),
        ([STDIN], Naming("out/"), "has no name"),
        ([named("a.jpg")], Naming("out/", format="gif"), "--format gif"),
        ([named("a.jpg")], Naming("out/", suffix="a/b"), "--suffix a/b"),
        ([named("a.jpg")], Naming("out"), "names no format .* out/ is one"),
        ([named("a.jpg")], Naming("out.png", suffix="_2"), "--suffix _2 has no use"),
        ([named("a.jpg")], Naming("out.png", format="jpg"), "name two formats"),
    ],
)
def test_names_that_cannot_be(here: Path, sources: list[Source], naming: Naming, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(sources, naming)


def refused(*jobs: tuple[str, ...], **settings: bool) -> str:
    with pytest.raises(UsageError) as caught:
        check([Job(*map(Path, job)) for job in jobs], **settings)
    return str(caught.value)


def test_two_photos_cannot_become_one(here: Path) -> None:
    said = refused(("a.jpg", "out.jpg"), ("day/a.jpg", "day/../out.jpg"))
    assert said.startswith("a.jpg and day/a.jpg would both be written to day/../out.jpg")
    assert "both be written" in refused(("a.jpg", "a.png", "k.png"), ("b.JPG", "b.png", "k.png"))
    (here / "link").symlink_to(here / "day")
    assert "both be written" in refused(("a.jpg", "day/x.png"), ("b.JPG", "link/x.png"))


def test_a_photo_cannot_be_its_kernel(here: Path) -> None:
    assert "both the photo and its kernel" in refused(("a.jpg", "o.png", "o.png"))
    assert "both its kernel and its comparison" in refused(("a.jpg", "o.png", "k.png", "k.png"))


def test_inputs_are_never_outputs(here: Path) -> None:
    os.link(here / "a.jpg", here / "hard.jpg")
    for output in ("a.jpg", "hard.jpg", "b.JPG"):
        assert "is an input" in refused(("b.JPG", "c.jpg"), ("a.jpg", output), overwrite=True)


def test_outputs_that_exist_are_counted_and_refused(here: Path) -> None:
    jobs = [("a.jpg", "x.png"), ("b.JPG", "y.png"), ("day/a.jpg", "z.png")]
    for name in ("x.png", "z.png"):
        (here / name).touch()
    said = refused(*jobs)
    assert said.startswith("x.png and 1 more exist already")
    assert "--skip-existing" in said
    planned = [Job(*map(Path, job)) for job in jobs]
    assert check(planned, overwrite=True) == (planned, [])
    assert check(planned, skip_existing=True) == ([planned[1]], [planned[0], planned[2]])


def test_the_kernel_of_an_unfinished_job_is_in_nobodys_way(here: Path) -> None:
    (here / "k.png").touch()
    job = Job(Path("a.jpg"), Path("x.png"), Path("k.png"))
    assert "k.png exists" in refused(("a.jpg", "x.png", "k.png"))
    assert check([job], skip_existing=True) == ([job], [])


def test_folders_that_can_be_made_need_not_be_there(here: Path) -> None:
    job = Job(Path("a.jpg"), Path("new/deep/a.jpg"))
    assert check([job], make_folders=True) == ([job], [])
    assert "does not exist" in refused(("a.jpg", "new/a.jpg"))
    assert "a.jpg is a file" in refused(("b.JPG", "a.jpg/b.JPG"), make_folders=True)
    assert list(here.glob("new*")) == []
