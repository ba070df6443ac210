"""Whatever goes wrong is one line on stderr and the right exit code, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from kdcli.cli import run
from kdcli.errors import KdError, UsageError
from tests.conftest import FakeEngine, pattern

PhotoFile = Callable[..., Path]


@pytest.fixture
def folder(photo_file: PhotoFile, tmp_path: Path) -> Path:
    """A folder of things to trip over."""
    photo = photo_file("good.png")
    photo_file("done.png")
    photo_file("one.png", np.zeros((1, 1, 3), np.uint8))
    photo_file("full.jpg", pattern(200, 200))
    data = (tmp_path / "full.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.jpg").write_text("Dear photo, ...")
    tifffile.imwrite(tmp_path / "nan.tif", np.full((32, 32), np.nan, np.float32))
    np.save(tmp_path / "zero.npy", np.zeros((9, 9)))
    np.save(tmp_path / "delta.npy", np.ones((1, 1)))
    (tmp_path / "link.png").symlink_to(photo)
    return tmp_path


CASES = [
    ("none.jpg -o out.png", 2, "does not exist"),
    ("{0} -o out.png", 2, "cannot all go to out.png"),
    ("text.jpg -o out.png", 1, "not a photo"),
    ("cut.jpg -o out.png", 1, "damaged"),
    ("one.png -o out.png", 1, "too small"),
    ("nan.tif -o out.png", 1, "NaN"),
    ("good.png -o nowhere/out.png", 2, "does not exist"),
    ("good.png -o out.gif", 2, "names no format"),
    ("good.png -o done.png", 2, "--overwrite"),
    ("good.png -o good.png --overwrite", 2, "is an input"),
    ("good.png -o link.png --overwrite", 2, "is an input"),
    ("good.png -o out.png --psf zero.npy", 1, "no blur kernel"),
    ("good.png -o out.png --psf done.png", 1, "no blur kernel"),
    ("good.png -o out.png --psf none.npy", 2, "does not exist"),
    ("good.png -o out.png --save-psf out.png", 2, "both the photo and its kernel"),
    ("good.png -o out.png --save-psf k.tif", 2, ".npy"),
    ("good.png -o out.png --save-psf done.png", 2, "--overwrite"),
    ("good.png -o out.png --psf delta.npy --save-psf delta.npy --overwrite", 2, "is an input"),
    ("good.png -o out.png --device gpu", 2, "--device gpu"),
    ("good.png -o out.png --device cuda:x", 2, "--device cuda:x"),
    ("good.png -o out.png --preset slow", 2, "preset"),
    ("good.png -o out.png --steps 0", 2, "steps"),
    ("good.png -o out.png --steps many", 2, "--steps"),
    ("good.png -o out.png --samples 1000", 2, "samples"),
    ("good.png -o out.png --guidance nan", 2, "guidance"),
    ("good.png -o out.png --guidance 0.1", 2, "of the diffusion's steps"),
    ("good.png -o out.png --samples 4", 2, "of the diffusion's steps"),
    ("good.png -o out.png --seed -1", 2, "--seed"),
    ("good.png -o out.png --sharper", 2, "--sharper"),
    ("good.png full.jpg -o out.png", 2, "cannot all go to out.png"),
    ("-o out.png", 2, "IN"),
]


@pytest.mark.parametrize(("words", "code", "said"), CASES)
def test_bad_input_is_one_line_before_any_work(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert run(["deblur", *words.format(folder).split()]) == code
    assert_one_line(capsys, said)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert engine.calls == []


def assert_one_line(capsys: pytest.CaptureFixture[str], said: str) -> None:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kd: error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err


@pytest.mark.parametrize("words", ["none.jpg", "text.jpg", "good.png --save-psf done.png"])
def test_estimate_kernel_checks_alike(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    assert run(["estimate-kernel", *words.split()]) in (1, 2)
    assert_one_line(capsys, "")
    assert engine.calls == []


def test_a_folder_that_may_not_be_written_to(
    engine: FakeEngine,
    photo_file: PhotoFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Root may write anywhere, so the system's answer is played."""
    photo = photo_file()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert run(["deblur", str(photo), "-o", str(tmp_path / "out.png")]) == 2
    assert_one_line(capsys, "may not be written to")
    assert engine.calls == []


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (KdError("the weights are damaged: fetch them again"), 1, "the weights are damaged"),
        (UsageError("this machine has no CUDA: use --device cpu"), 2, "no CUDA"),
        (MemoryError(), 1, "out of memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), 1, "--device cpu"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "out of memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("two\nlines"), 1, "unexpected ValueError: two lines (KD_DEBUG=1"),
    ],
)
def test_failures_inside_are_one_line_and_leave_no_output(
    engine: FakeEngine,
    photo_file: PhotoFile,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    code: int,
    said: str,
) -> None:
    photo = photo_file()
    engine.failure = failure
    assert run(["deblur", str(photo), "-o", str(tmp_path / "out.png"), "--quiet"]) == code
    assert_one_line(capsys, said)
    assert list(tmp_path.iterdir()) == [photo]


def test_debug_shows_where(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["deblur", str(photo_file()), "-o", str(tmp_path / "out.png")]
    engine.failure = ValueError("surprise")
    monkeypatch.setenv("KD_DEBUG", "1")
    with pytest.raises(ValueError, match="surprise"):
        run(words)
    monkeypatch.setenv("KD_DEBUG", "0")
    assert run(words) == 1


def python(code: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=path, check=False)


def test_help_version_and_mistakes_need_neither_torch_nor_numpy() -> None:
    code = """
import json, sys
from kdcli.cli import run
codes = [run(words.split()) for words in
         ("--help", "", "--version", "deblur --help", "estimate-kernel --help", "synth --help",
          "train --help", "deblur --sharper", "deblur none.jpg --device gpu", "nonsense")]
heavy = [name for name in ("torch", "numpy", "PIL", "skimage", "scipy") if name in sys.modules]
print(json.dumps([codes, heavy]), file=sys.stderr)
"""
    done = python(code)
    assert json.loads(done.stderr.splitlines()[-1]) == [[0, 0, 0, 0, 0, 0, 0, 2, 2, 2], []]
    assert "0 done, 1 failed, 2 wrong usage, 130 interrupted" in done.stdout


def test_bad_files_are_found_without_torch(folder: Path) -> None:
    code = """
import sys
from kdcli.cli import run
codes = [run(["deblur", name, "-o", "out.png"]) for name in ("none.jpg", "cut.jpg", "one.png")]
print(codes, "torch" in sys.modules, file=sys.stderr)
"""
    env_path = str(Path(__file__).parents[2])
    done = python(f"import sys; sys.path.insert(0, {env_path!r})\n{code}", path=folder)
    assert done.stderr.splitlines()[-1] == "[2, 1, 1] False"


def test_the_module_runs_and_exits_with_its_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kdcli", "deblur", "none.jpg"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "kd: error: none.jpg does not exist: check its name and folder\n"


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from kdcli import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"kd {__version__}\n"


def test_a_closed_pipe_is_no_traceback() -> None:
    code = "import sys; from kdcli.cli import main; sys.argv = ['kd', '--help']; main()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert errors == b""
