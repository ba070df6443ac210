"""What killed processes leave behind is removed, and what living ones work on is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kdcli.files.atomic import discard_unfinished, sweep, write_atomically


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A temporary file whose process is no more."""
    path = tmp_path / ".kd-0123456789abcdef.part"
    path.write_bytes(b"half of a ph")
    return path


def test_writing_into_a_folder_sweeps_it(left: Path) -> None:
    write_atomically(left.parent / "photo.png", b"new")
    assert [path.name for path in left.parent.iterdir()] == ["photo.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="locks as POSIX systems have them")
def test_a_file_that_is_being_written_is_not_swept(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    move = os.replace

    def sweep_first(source: Path, target: Path) -> None:
        left.touch()
        sweep(left.parent)
        seen.append([path.name for path in left.parent.iterdir()])
        move(source, target)

    monkeypatch.setattr(os, "replace", sweep_first)
    write_atomically(left.parent / "photo.png", b"new")
    (names,) = seen
    assert len(names) == 1
    assert names != [left.name]
    assert (left.parent / "photo.png").read_bytes() == b"new"


def test_other_files_are_not_swept(tmp_path: Path) -> None:
    for name in ("a.part", ".kd-x.png", ".kd-folder.part/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    sweep(tmp_path / "none")


def test_a_process_in_a_hurry_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(_: object) -> None:
        discard_unfinished()
        assert list(tmp_path.iterdir()) == []
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", leave)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "photo.png", b"new")
    assert list(tmp_path.iterdir()) == []
