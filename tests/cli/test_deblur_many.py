"""`kd deblur` on many files, with a stand-in for the engine."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kdcli.cli import run
from kdcli.errors import KdError, UsageError
from kdcli.files.psf import read_psf
from tests.conftest import FakeEngine, pattern

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def shots(photo_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: four photos in shots/, one of them deeper, and a file that is none."""
    (tmp_path / "shots" / "day").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "c.tif", "day/a.webp"):
        photo_file(f"shots/{name}")
    (tmp_path / "shots" / "bad.jpg").write_text("Dear photo, ...")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shots"


def written(folder: str = "out") -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_bad_file_is_told_at_the_end_and_the_others_are_done(
    engine: FakeEngine, shots: Path, capsys: Capture
) -> None:
    assert run(["deblur", "shots", "none.jpg", "-r", "-o", "out"]) == 1
    assert written() == ["a.jpg", "b.png", "c.tif", "day/a.webp"]
    with Image.open("out/b.png") as image:
        np.testing.assert_array_equal(np.asarray(image), 255 - pattern())
    said = capsys.readouterr()
    assert said.out == ""
    assert lines(said.err)[-2] == "kd: error: none.jpg does not exist: check its name and folder"
    assert lines(said.err)[-3].startswith("kd: error: shots/bad.jpg: not a photo that kd can read")
    assert lines(said.err)[-1].startswith("kd: 4 of 6 photos written, 2 failed (0:0")
    assert lines(said.err)[0].startswith("kd: 1/6 out/a.jpg written (kernel 5 px wide, ")
    assert lines(said.err)[0].endswith(" left")


def test_the_networks_are_loaded_once(engine: FakeEngine, shots: Path) -> None:
    assert run(["deblur", "shots/a.jpg", "shots/b.png", "shots/c.tif", "-o", "out", "-q"]) == 0
    assert [call for call in engine.calls if "load" in call] == [{"load": "auto"}]
    assert written() == ["a.jpg", "b.png", "c.tif"]


def test_patterns_suffix_and_format(engine: FakeEngine, shots: Path) -> None:
    words = ["deblur", "shots/[ab].*", "shots/**/a.webp", "-o", "out", "--suffix", "_s", "--format", "PNG"]
    assert run(words) == 0
    assert written() == ["a_s.png", "b_s.png", "day/a_s.png"]


def test_without_output_they_land_beside_the_photos(engine: FakeEngine, shots: Path) -> None:
    assert run(["deblur", "shots/day", "shots/b.png"]) == 0
    assert set(written("shots")) >= {"b.png", "b.deblurred.png", "day/a.webp", "day/a.deblurred.webp"}


def test_json_is_a_line_a_photo(engine: FakeEngine, shots: Path, capsys: Capture) -> None:
    assert run(["deblur", "shots/b.png", "-o", "out/", "-q"]) == 0
    words = ["deblur", "shots/b.png", "shots/a.jpg", "shots/bad.jpg", "-o", "out", "--json", "--quiet"]
    assert run([*words, "--skip-existing"]) == 1
    said = capsys.readouterr()
    rows = [json.loads(line) for line in lines(said.out)]
    assert [(row["input"], row["output"], row["status"]) for row in rows] == [
        ("shots/b.png", "out/b.png", "skipped"),
        ("shots/a.jpg", "out/a.jpg", "done"),
        ("shots/bad.jpg", "out/bad.jpg", "failed"),
    ]
    assert rows[1]["kernel_width"] == 5
    assert rows[1]["seconds"]["total"] > 0
    assert rows[2]["message"].startswith("shots/bad.jpg: not a photo")
    assert lines(said.err) == [f"kd: error: {rows[2]['message']}"]


def test_kernels_are_saved_beside_the_outputs(engine: FakeEngine, shots: Path) -> None:
    assert run(["deblur", "shots/a.jpg", "shots/day", "-o", "out", "--suffix", "_s", "--save-psf"]) == 2
    (shots / "day" / "a.webp").rename(shots / "day" / "d.webp")
    assert run(["deblur", "shots/a.jpg", "shots/day", "-o", "out", "--suffix", "_s", "--save-psf"]) == 0
    assert written() == ["a.psf.png", "a_s.jpg", "d.psf.png", "d_s.webp"]
    assert read_psf(Path("out/a.psf.png"))[32, 30:35] == pytest.approx(0.2, abs=1e-6)


def test_one_kernel_restores_all(engine: FakeEngine, shots: Path) -> None:
    np.save("k.npy", np.eye(3))
    assert run(["deblur", "shots/a.jpg", "shots/b.png", "-o", "out", "--psf", "k.npy"]) == 0
    kernels = [call["kernel"] for call in engine.calls if "kernel" in call]
    assert len(kernels) == 2
    assert all(np.trace(kernel) == pytest.approx(1) for kernel in kernels)


def test_skip_existing_takes_a_run_up(engine: FakeEngine, shots: Path, capsys: Capture) -> None:
    (shots / "bad.jpg").unlink()
    assert run(["deblur", "shots/a.jpg", "-o", "out/"]) == 0
    before = Path("out/a.jpg").stat().st_mtime_ns
    capsys.readouterr()
    assert run(["deblur", "shots", "-o", "out/", "--skip-existing", "--save-psf"]) == 0
    assert Path("out/a.jpg").stat().st_mtime_ns == before
    assert written() == ["a.jpg", "b.png", "b.psf.png", "c.psf.png", "c.tif"]
    said = lines(capsys.readouterr().err)
    assert said[0].startswith("kd: 1/2 out/b.png")
    assert said[-1].startswith("kd: 2 of 3 photos written, 1 there already")
    loads = len(engine.calls)
    assert run(["deblur", "shots", "-o", "out/", "--skip-existing"]) == 0
    assert run(["deblur", "shots/b.png", "-o", "out/b.png", "--skip-existing"]) == 0
    assert len(engine.calls) == loads  # nothing to do needs no networks


def test_warnings_name_their_photo(engine: FakeEngine, shots: Path, capsys: Capture) -> None:
    engine.warnings.append("much noise")
    assert run(["deblur", "shots/a.jpg", "shots/b.png", "*.gif", "-o", "out"]) == 0
    said = lines(capsys.readouterr().err)
    assert said[0] == "kd: warning: *.gif matches no photo"
    assert said[1] == "kd: warning: shots/a.jpg: much noise"


def test_notes_name_their_photo_once(engine: FakeEngine, shots: Path, capsys: Capture) -> None:
    Image.open(shots / "b.png").quantize(16).save(shots / "b.png")
    assert run(["deblur", "shots/a.jpg", "shots/b.png", "-o", "out"]) == 0
    said = [line for line in lines(capsys.readouterr().err) if "warning" in line]
    assert said == ["kd: warning: shots/b.png has a palette: written in full colour"]


def test_what_fails_inside_is_one_line_a_photo(engine: FakeEngine, shots: Path, capsys: Capture) -> None:
    engine.failure = MemoryError()
    assert run(["deblur", "shots/a.jpg", "shots/b.png", "-o", "out", "-q"]) == 1
    said = lines(capsys.readouterr().err)
    assert [line.split(": ")[2:4] for line in said] == [
        ["shots/a.jpg", "out of memory"],
        ["shots/b.png", "out of memory"],
    ]
    assert written() == []


@pytest.mark.parametrize(
    ("failure", "code"), [(UsageError("no CUDA: use --device cpu"), 2), (KdError("damaged weights"), 1)]
)
def test_what_is_wrong_for_all_photos_is_told_once(
    engine: FakeEngine,
    shots: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    failure: KdError,
    code: int,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(sys.modules["kdcli.weights"], "load_models", fail)
    assert run(["deblur", "shots", "-o", "out"]) == code
    assert lines(capsys.readouterr().err) == [f"kd: error: {failure}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("shots -o out --format gif", "--format gif"),
        ("shots -o out --suffix a/b", "--suffix"),
        ("shots -o out.png", "name a folder"),
        ("shots/a.jpg shots/day/a.webp -o out --format png", "would both be written to out/a.png"),
        ("shots -o shots", "is an input"),
        ("shots -o k.npy/", "is a file"),
        ("shots -o out --overwrite --skip-existing", "exclude"),
        ("shots -o out --save-psf k.png", "--save-psf k.png"),
        ("shots -o out --jobs 0", "--jobs"),
        ("*.gif -o out", "matches no photo"),
        ("- shots -o out", "stands alone"),
        ("- -o out/", "has no name"),
        ("- -o out.png --save-psf", "has no name"),
        ("shots/a.jpg shots/b.png -o -", "stdout"),
        ("shots/a.jpg -o - --json", "mix"),
        ("- --json", "mix"),
        ("shots/day shots -o shots/day --overwrite", "is an input"),
        ("--files0-from none.txt -o out", "none.txt"),
        ("--files0-from empty -o out", "is empty"),
        ("--files0-from twice -o out", "empty name"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    engine: FakeEngine, shots: Path, capsys: Capture, words: str, said: str
) -> None:
    np.save("k.npy", np.eye(3))
    Path("empty").touch()
    Path("twice").write_bytes(b"a.jpg\0\0b.png\0")
    before = written(".")
    assert run(["deblur", *words.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(lines(captured.err)) == 1
    assert said in captured.err
    assert written(".") == before
    assert engine.calls == []


def test_json_tells_of_a_single_photo_that_fails(engine: FakeEngine, shots: Path, capsys: Capture) -> None:
    assert run(["deblur", "shots/bad.jpg", "-o", "out.png", "--json"]) == 1
    said = capsys.readouterr()
    row = json.loads(said.out)
    assert (row["input"], row["output"], row["status"]) == ("shots/bad.jpg", "out.png", "failed")
    assert said.err == f"kd: error: {row['message']}\n"


def test_what_found_nothing_is_told_beside_a_single_photo(
    engine: FakeEngine, shots: Path, capsys: Capture
) -> None:
    assert run(["deblur", "shots/a.jpg", "*.gif", "-o", "out.png"]) == 0
    assert "kd: warning: *.gif matches no photo" in lines(capsys.readouterr().err)


def test_a_closed_folder_is_a_failure(
    engine: FakeEngine, shots: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != "shots/day" and access(path, mode))
    assert run(["deblur", "shots/a.jpg", "shots/day", "-o", "out/", "-q"]) == 1
    assert written() == ["a.jpg"]
    assert capsys.readouterr().err.startswith("kd: error: cannot look into shots/day: ")


def test_a_photo_named_twice_is_done_once(engine: FakeEngine, shots: Path) -> None:
    Path("list").write_bytes(b"shots/a.jpg\0shots/a.jpg\0")
    assert run(["deblur", "--files0-from", "list", "shots/a.jpg", "-o", "out/", "-q"]) == 0
    assert written() == ["a.jpg"]
    assert len(engine.calls) == 2  # of which one loads the networks


def test_a_list_with_nul_after_each_name(engine: FakeEngine, shots: Path) -> None:
    odd = "two\nlines and ünïcode.png"
    (shots / "b.png").rename(odd)
    Path("list").write_bytes(b"\0".join([b"shots/a.jpg", odd.encode(), b""]))
    assert run(["deblur", "--files0-from", "list", "shots/c.tif", "-o", "out"]) == 0
    assert written() == ["a.jpg", "c.tif", odd]


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes, *, terminal: bool = False) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: terminal)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_list_from_stdin(engine: FakeEngine, shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"shots/a.jpg\0shots/b.png")
    assert run(["deblur", "--files0-from", "-", "-o", "out"]) == 0
    assert written() == ["a.jpg", "b.png"]


@pytest.mark.parametrize(
    ("words", "format"),
    [("-", "TIFF"), ("- -o -", "TIFF"), ("- -o - --format png", "PNG"), ("shots/c.tif -o -", "TIFF")],
)
def test_a_photo_through_a_pipe(
    engine: FakeEngine,
    shots: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    words: str,
    format: str,
) -> None:
    feed(monkeypatch, (shots / "c.tif").read_bytes())
    assert run(["deblur", *words.split()]) == 0
    with Image.open(io.BytesIO(capsysbinary.readouterr().out)) as image:
        assert image.format == format
        np.testing.assert_array_equal(np.asarray(image), 255 - pattern())


def test_a_photo_from_a_pipe_to_a_file(
    engine: FakeEngine, shots: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    feed(monkeypatch, (shots / "b.png").read_bytes())
    assert run(["deblur", "-", "-o", "out.png", "--save-psf", "k.png", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["input"], facts["output"], facts["psf"]) == ("-", "out.png", "k.png")
    assert Path("out.png").is_file()


@pytest.mark.parametrize(
    ("data", "said"), [(b"", "stdin is empty"), (b"Dear photo, ...", "stdin: not a photo")]
)
def test_a_pipe_without_a_photo(
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    data: bytes,
    said: str,
) -> None:
    feed(monkeypatch, data)
    assert run(["deblur", "-"]) == 1
    captured = capsysbinary.readouterr()
    assert captured.out == b""
    assert said in captured.err.decode()


def test_a_terminal_is_no_pipe(
    engine: FakeEngine, shots: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(["deblur", "shots/a.jpg", "-o", "-"]) == 2
    assert "terminal" in capsys.readouterr().err
    feed(monkeypatch, b"", terminal=True)
    assert run(["deblur", "-", "-o", "out.png"]) == 2
    assert "terminal" in capsys.readouterr().err
    assert engine.calls == []


def test_on_a_terminal_there_is_one_bar(
    engine: FakeEngine, shots: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["deblur", "shots", "-o", "out"]) == 1
    said = capsys.readouterr().err
    assert "4/4" in said
    assert " left" in said
    assert "written (kernel" not in said
    assert lines(said)[-1].startswith("kd: 3 of 4 photos written, 1 failed")
