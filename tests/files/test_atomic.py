"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically


def test_a_failed_move_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(KdError, match="No space left"):
        write_atomically(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "photo.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(KdError, match="cannot write"):
        write_atomically(tmp_path / "none" / "photo.png", b"new")


def test_an_existing_file_is_kept_by_default(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_the_usual_permissions_apply(tmp_path: Path) -> None:
    usual, written = tmp_path / "usual", tmp_path / "written"
    usual.touch()
    write_atomically(written, b"new")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_what_is_replaced_hands_on_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "private.png"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_atomically(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="knows no such limit")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """Files may have 10,000 bytes here: as on a full disk, the first are written and the rest refused."""
    code = f"""
import resource
from pathlib import Path
from kdcli.errors import KdError
from kdcli.files.atomic import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
folder = Path({str(tmp_path)!r})
write_atomically(folder / "small.png", bytes(9_000))
for name in ("large.png", "small.png"):
    try:
        write_atomically(folder / name, bytes(1_000_000), overwrite=True)
    except KdError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(": ")[1:] for line in done.stdout.splitlines()] == [
        ["File too large", "check the folder and the free space"]
    ] * 2
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("small.png", 9_000)]


def test_a_disk_that_is_full_only_when_asked_to_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many file systems take what is written and find room for it later."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(KdError, match="No space left on device: check the folder and the free space"):
        write_atomically(tmp_path / "photo.png", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write to")
def test_a_folder_that_nobody_may_write_to_is_one_line() -> None:
    with pytest.raises(KdError, match=r"cannot write /proc/photo\.png: .*: check the folder"):
        write_atomically(Path("/proc/photo.png"), b"new")
