"""`--compare`, `--preview` and `--show-psf`, with a stand-in for the engine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.cli import run
from tests.conftest import FakeEngine, pattern

PhotoFile = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, besides which photos lie."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def holds(picture: Path, photo: np.ndarray) -> bool:
    """Whether a picture shows a photo, in full size."""
    with Image.open(picture) as image:
        pixels = np.asarray(image)
    height, width = photo.shape[:2]
    places = np.lib.stride_tricks.sliding_window_view(pixels, (height, width, 3))
    return bool((places == photo).all(axis=(-3, -2, -1)).any())


def test_a_comparison_shows_before_and_after(engine: FakeEngine, photo_file: PhotoFile, here: Path) -> None:
    photo = photo_file()
    assert run(["deblur", str(photo), "-o", "out.png", "--compare", "cmp.png"]) == 0
    assert names(here) == ["cmp.png", "out.png"]
    assert holds(here / "cmp.png", pattern())
    assert holds(here / "cmp.png", 255 - pattern())


def test_a_comparison_of_no_name(engine: FakeEngine, photo_file: PhotoFile, here: Path) -> None:
    """In the current folder, as for --save-psf; also as the first word, since a photo is needed."""
    photo = photo_file("trip.png")
    assert run(["deblur", "--compare", str(photo), "--save-psf", "-o", str(photo.parent / "out.png")]) == 0
    assert names(here) == ["trip.compare.png", "trip.psf.png"]


def test_many_photos_have_a_comparison_each(engine: FakeEngine, photo_file: PhotoFile, here: Path) -> None:
    photos = [str(photo_file(f"{name}.jpg")) for name in "ab"]
    assert run(["deblur", *photos, "-o", "out", "--suffix", "_s", "--compare"]) == 0
    assert names(here / "out") == ["a.compare.png", "a_s.jpg", "b.compare.png", "b_s.jpg"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a.png -o out.png --compare c.gif", "names no format"),
        ("a.png -o out.png --compare nowhere/c.png", "does not exist"),
        ("a.png -o out.png --compare a.png", "is an input"),
        ("a.png -o out.png --compare out.png", "both the photo and its comparison"),
        ("a.png -o out.png --compare b.png", "--overwrite"),
        ("a.png b.png -o out --compare c.png", "--compare c.png names one file"),
        ("- -o out.png --compare", "name the file with --compare FILE"),
        ("a.png --preview", "a.preview.png exists"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    engine: FakeEngine,
    photo_file: PhotoFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    words: str,
    said: str,
) -> None:
    for name in ("a.png", "b.png", "a.preview.png"):
        photo_file(name)
    monkeypatch.chdir(tmp_path)
    before = names(tmp_path)
    assert run(["deblur", *words.split()]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert names(tmp_path) == before
    assert engine.calls == []


def test_a_failing_engine_leaves_no_comparison(engine: FakeEngine, photo_file: PhotoFile, here: Path) -> None:
    engine.failure = RuntimeError("surprise")
    assert run(["deblur", str(photo_file()), "-o", "out.png", "--compare"]) == 1
    assert names(here) == []


def test_skip_existing_leaves_a_comparison_as_it_is(
    engine: FakeEngine, photo_file: PhotoFile, here: Path
) -> None:
    (here / "photo.compare.png").write_bytes(b"of a run before")
    assert run(["deblur", str(photo_file()), "-o", "out.png", "--compare", "--skip-existing"]) == 0
    assert names(here) == ["out.png", "photo.compare.png"]
    assert (here / "photo.compare.png").read_bytes() == b"of a run before"


def test_a_preview_is_all_that_is_written(
    engine: FakeEngine, photo_file: PhotoFile, here: Path, capsys: Capture
) -> None:
    window = sys.modules["kdcli.engine.preview"].preview_window(None)
    words = ["-o", "out.png", "--save-psf", "--compare", "--preview", "--json"]
    assert run(["deblur", str(photo_file("trip.png", pattern(channels=4))), *words]) == 0
    assert names(here) == ["trip.preview.png"]
    part = pattern()[window]
    assert engine.calls[1]["image"].shape == pattern().shape  # the kernel is that of the whole photo
    assert holds(here / "trip.preview.png", part)
    assert holds(here / "trip.preview.png", 255 - part)
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert (facts["output"], facts["preview"], facts["psf"]) == ("trip.preview.png", True, None)
    assert "kd: trip.preview.png written" in said.err


def test_previews_of_many_photos(engine: FakeEngine, photo_file: PhotoFile, here: Path) -> None:
    photos = [photo_file(f"{name}.jpg") for name in "ab"]
    assert run(["deblur", str(photos[0].parent), "-o", "out/", "--preview"]) == 0
    assert names(here / "out") == ["a.preview.png", "b.preview.png"]
    assert run(["deblur", str(photos[0].parent), "-q"]) == 0
    assert run(["deblur", str(photos[0].parent), "-q", "--preview", "--overwrite"]) == 0
    assert run(["deblur", str(photos[0].parent), "-q", "--preview", "--overwrite"]) == 0
    beside = [name for name in names(photos[0].parent) if "/" not in name]
    assert beside == [
        *("a.deblurred.jpg", "a.jpg", "a.preview.png"),
        *("b.deblurred.jpg", "b.jpg", "b.preview.png"),
    ]  # of which none was taken for a photo


def test_kernels_are_drawn_on_stderr(
    engine: FakeEngine, photo_file: PhotoFile, here: Path, capsys: Capture
) -> None:
    photos = [str(photo_file(f"{name}.jpg")) for name in "ab"]
    assert run(["deblur", *photos, "-o", "out", "--show-psf"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("▀▀▀▀▀\n") == 2
    assert f"kernel of {photos[1]}, 5 px wide\n" in said.err
    assert run(["deblur", photos[0], "-o", "out.png", "--show-psf", "-q"]) == 0
    assert capsys.readouterr().err == ""
