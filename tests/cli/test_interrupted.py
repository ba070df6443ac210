"""Runs that are killed: nothing half-written, nothing lost, and they can be taken up where they ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.fake_kd import COMMAND, DEADLY, STUCK
from tests.conftest import hear_ctrl_c, pattern

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals as POSIX systems do")

ENDINGS = (".jpg", ".png", ".tif", ".webp", ".bmp")
LONGEST = 120  # seconds, for a machine that is busy with other things


COUNT = 80


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of all formats in shots/ and two folders below it, and whole/, what becomes of them."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(COUNT):
        place = folder / "shots" / ("", "day 1", "day 1/jour d'été")[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        pixels = pattern(20 + number % 7, 30, None if number % 4 == 0 else 3)
        Image.fromarray(pixels).save(place / f"{number}{ENDINGS[number % 5]}")
    code, said = finish(start("shots", "-r", "-o", "whole", "--save-psf", folder=folder))
    assert code == 0, said
    return folder


def start(*words: str, folder: Path, seconds: float = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "deblur", *words],
        cwd=folder,
        env={**os.environ, "FAKE_SECONDS": str(seconds)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_ctrl_c,
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=LONGEST)
    return process.returncode, errors.decode()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST
    while not condition():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("number", "jobs"),
    [(signal.SIGKILL, "1"), (signal.SIGKILL, "2"), (signal.SIGINT, "1"), (signal.SIGINT, "2")],
)
def test_a_killed_run_taken_up_gives_the_bytes_of_an_undisturbed_one(
    photos: Path, tmp_path: Path, number: signal.Signals, jobs: str
) -> None:
    whole = content(photos / "whole")
    assert len(whole) == 2 * COUNT
    out = tmp_path / "out"
    words = ["shots", "-r", "-o", str(out), "--save-psf", "--jobs", jobs]
    killed = start(*words, folder=photos, seconds=0.02)
    wait_until(lambda: len(list(out.rglob("*.*"))) > COUNT, killed)  # half-way
    killed.send_signal(number)
    code, said = finish(killed)
    part = {name: data for name, data in content(out).items() if not name.endswith(".part")}
    assert 0 < len(part) < 2 * COUNT
    assert part.items() <= whole.items()
    if number == signal.SIGINT:
        assert code == 130
        assert said.endswith("kd: error: interrupted\n")
        assert "--skip-existing takes it up" in said
        assert part == content(out)

    code, said = finish(start(*words, "--skip-existing", folder=photos))
    assert code == 0, said
    assert content(out) == whole


def test_a_run_that_ended_between_kernel_and_photo_is_taken_up(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(photos / "whole", out)
    for path in out.rglob("1*.png"):
        if not path.name.endswith(".psf.png"):
            path.unlink()
    words = ["shots", "-r", "-o", str(out), "--save-psf", "--skip-existing"]
    assert finish(start(*words, folder=photos))[0] == 0
    assert content(out) == content(photos / "whole")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_does_not_wait_for_a_long_call(tmp_path: Path, jobs: str) -> None:
    Image.fromarray(np.zeros((20, STUCK), np.uint8)).save(tmp_path / "stuck.png")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "other.png")
    process = start("stuck.png", "other.png", "-o", "out", "--jobs", jobs, folder=tmp_path)
    wait_until((tmp_path / "stuck").exists, process)
    process.send_signal(signal.SIGINT)
    code, said = finish(process)
    assert code == 130
    assert said.endswith("kd: error: interrupted\n")
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.part"))


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """They hold its stderr, so that this only closes when all have ended."""
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((20, STUCK), np.uint8)).save(tmp_path / name)
    process = start("a.png", "b.png", "-o", "out", "--jobs", "2", folder=tmp_path)
    wait_until((tmp_path / "stuck").exists, process)
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL


def test_a_process_that_is_killed_costs_one_photo(tmp_path: Path) -> None:
    for number in range(6):
        width = DEADLY if number == 2 else 20
        Image.fromarray(np.zeros((20, width), np.uint8)).save(tmp_path / f"{number}.png")
    code, said = finish(start("*.png", "-o", "out", "--jobs", "2", folder=tmp_path))
    assert code == 1
    assert "kd: error: 2.png: its process ended with code -9" in said
    assert sorted(content(tmp_path / "out")) == ["0.png", "1.png", "3.png", "4.png", "5.png"]


@pytest.mark.skipif(not shutil.which("xargs") or not shutil.which("find"), reason="needs xargs and find")
def test_a_tar_of_photos_through_xargs(photos: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for path in sorted((photos / "shots").rglob("*.*"))[:50]:
            tar.add(path, path.relative_to(photos))
    script = (
        "set -e; mkdir in; tar -xf photos.tar -C in; cd in; "
        'find . -type f -print0 | xargs -0 -n 13 -P 2 "$@" deblur -o ../out/ --quiet'
    )
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND],
        cwd=tmp_path,
        capture_output=True,
        timeout=LONGEST,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(content(tmp_path / "out")) == 50


def test_stdout_that_nobody_reads_is_one_line(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((600, 600), np.uint8)).save(tmp_path / "a.png")
    process = start("a.png", "-o", "-", "--format", "bmp", "-q", folder=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(LONGEST) == 1
    assert errors == b"kd: error: cannot write to stdout: Broken pipe\n"
