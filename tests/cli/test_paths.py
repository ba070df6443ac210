"""Names that look strange, links, and what is no file at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.cli import run
from kdcli.errors import one_line
from tests.conftest import FakeEngine, pattern

PhotoFile = Callable[..., Path]

NAMES = [
    "two  words.png",
    " spaces .png",
    "two\nlines.png",
    "tab\tand return\r.png",
    "фото.png",
    "写真 がぼけた.png",
    "e\u0301 is two characters.png",
    "😀.png",
    "\x1b[31mred.png",
    "right to left \u202egnp.png",
    os.fsdecode(b"caf\xe9 in latin-1.png"),
    "[bold]'quotes' \"too\" $HOME `ls` %s {}.png",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_name(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """As input, as output and in what is said about them, where every message stays one line."""
    photo_file("photo.png").rename(tmp_path / name)
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / name
    assert run(["deblur", str(tmp_path / name), "-o", str(out), "--json"]) == 0
    said = capfd.readouterr()
    facts = json.loads(said.out)
    assert (facts["input"], facts["output"]) == (str(tmp_path / name), str(out))
    with Image.open(out) as image:
        np.testing.assert_array_equal(np.asarray(image), 255 - pattern())
    lines = said.err.splitlines()
    assert all(line.startswith("kd: ") for line in lines)
    assert lines[-1].startswith(f"kd: {one_line(str(out))} written")

    assert run(["deblur", str(tmp_path / name), "-o", str(out)]) == 2
    assert_one_line(capfd, f"{one_line(str(out))} exists already")
    missing = out.with_name("no " + name)
    assert run(["deblur", str(missing), "-o", "x.png"]) == 2
    reason = "matches no photo" if "[" in name else "does not exist"  # brackets make a pattern
    assert_one_line(capfd, f"{one_line(str(missing))} {reason}")


def assert_one_line(capture: pytest.CaptureFixture[str], said: str) -> None:
    captured = capture.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kd: error: ")
    assert captured.err.count("\n") == 1
    assert captured.err[:-1].isprintable()
    assert said in captured.err


def test_an_input_is_read_through_a_link_and_the_output_lies_beside_the_link(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path
) -> None:
    photo = photo_file("photo.png")
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.png"
    link.symlink_to(photo)
    assert run(["deblur", str(link)]) == 0
    assert sorted(path.name for path in link.parent.iterdir()) == ["link.deblurred.png", "link.png"]
    assert link.is_symlink()


def test_an_output_link_is_followed(engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path) -> None:
    photo, other = photo_file("photo.png"), photo_file("other.png")
    link, waiting = tmp_path / "link.png", tmp_path / "waiting.png"
    link.symlink_to(other)
    waiting.symlink_to(tmp_path / "new.png")
    assert run(["deblur", str(photo), "-o", str(link)]) == 2  # what it leads to is there
    assert run(["deblur", str(photo), "-o", str(link), "--overwrite"]) == 0
    assert run(["deblur", str(photo), "-o", str(waiting)]) == 0
    assert link.is_symlink()
    assert waiting.is_symlink()
    for path in (other, tmp_path / "new.png"):
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), 255 - pattern())


def make(path: Path, kind: str, photo: Path) -> None:
    """Something at a path that cannot be an output."""
    if kind == "link to the input":
        path.symlink_to(photo)
    elif kind == "hard link to the input":
        os.link(photo, path)
    elif kind == "link to a link to the input":
        path.with_name("middle").symlink_to(photo)
        path.symlink_to("middle")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a device":
        path.symlink_to("/dev/null")
    elif kind == "link to itself":
        path.symlink_to(path)
    elif kind == "link to a missing folder":
        path.symlink_to(path.parent / "none" / "out.png")
    else:
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("link to the input", "is an input and would be lost"),
        ("hard link to the input", "is an input and would be lost"),
        ("link to a link to the input", "is an input and would be lost"),
        ("pipe", "is no file but a pipe or device"),
        ("link to a device", "is no file but a pipe or device"),
        ("link to itself", "cannot be written"),
        ("link to a missing folder", "may not be written to"),
    ],
)
@pytest.mark.parametrize("option", ["-o", "--save-psf"])
def test_what_cannot_be_an_output_is_refused_before_any_work(
    engine: FakeEngine,
    photo_file: PhotoFile,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    said: str,
    option: str,
) -> None:
    photo, out = photo_file("photo.png"), tmp_path / "out.png"
    make(out, kind, photo)
    before = photo.read_bytes()
    words = ["deblur", str(photo), option, str(out), "--overwrite"]
    assert run(words if option == "-o" else [*words, "-o", str(tmp_path / "sharp.png")]) == 2
    assert_one_line(capfd, said)
    assert engine.calls == []
    assert photo.read_bytes() == before
    assert os.path.lexists(out)


def test_a_name_too_long_is_one_line(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    long = str(tmp_path / f"{'x' * 300}.png")
    assert run(["deblur", long]) == 2
    assert_one_line(capfd, "File name too long")
    assert run(["deblur", str(photo_file()), "-o", long]) == 2
    assert_one_line(capfd, "File name too long")


def test_a_pipe_as_input_is_refused_at_once(
    engine: FakeEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "photo.png")
    assert run(["deblur", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out.png")]) == 2
    assert_one_line(capfd, "is no file but a pipe or device: name a file, or pipe it into kd -")
    assert run(["deblur", "/dev/null", "-o", str(tmp_path / "out.png")]) == 2
    assert_one_line(capfd, "is no file but a pipe or device")
    assert engine.calls == []


def test_a_full_disk_is_one_line_and_leaves_nothing(
    engine: FakeEngine,
    photo_file: PhotoFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    photo = photo_file()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert run(["deblur", str(photo), "-o", str(tmp_path / "out.png"), "--quiet"]) == 1
    assert_one_line(capfd, "No space left on device: check the folder and the free space")
    assert list(tmp_path.iterdir()) == [photo]
