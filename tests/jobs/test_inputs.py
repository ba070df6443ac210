"""Files, folders and patterns become photos."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdcli.jobs.inputs import Source, find


@pytest.fixture
def shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos in it and below it, and with what is no photo."""
    for name in (
        "shots/b.jpg",
        "shots/a.PNG",
        "shots/c.HEIC",
        "shots/notes.txt",
        "shots/._a.png",
        "shots/day1/d.jpg",
        "shots/day1/deep/e.tif",
        "shots/day2/d.jpg",
        "shots/.cache/f.jpg",
        "photo[1].jpg",
        "x.bmp",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "shots/folder.jpg").mkdir()
    (tmp_path / "shots/loop").symlink_to(tmp_path / "shots")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*words: str, recursive: bool = False, leave_out: str | None = None) -> list[tuple[str, str]]:
    answer = find(words, recursive=recursive, leave_out=Path(leave_out) if leave_out else None)
    assert answer.notes == answer.closed == []
    return [(str(source.path), str(source.below)) for source in answer.sources]


def test_a_folder_means_the_photos_in_it(shots: Path) -> None:
    assert found("shots/") == [("shots/a.PNG", "a.PNG"), ("shots/b.jpg", "b.jpg"), ("shots/c.HEIC", "c.HEIC")]


def test_recursive_goes_below_and_keeps_the_folders(shots: Path) -> None:
    assert found("shots", recursive=True)[3:] == [
        ("shots/day1/d.jpg", "day1/d.jpg"),
        ("shots/day1/deep/e.tif", "day1/deep/e.tif"),
        ("shots/day2/d.jpg", "day2/d.jpg"),
    ]


def test_patterns_keep_the_folders_that_they_leave_open(shots: Path) -> None:
    assert found("*.bmp") == [("x.bmp", "x.bmp")]
    assert found("shots/*.jpg") == [("shots/b.jpg", "b.jpg")]
    assert found("shots/day*/d.*") == [
        ("shots/day1/d.jpg", "day1/d.jpg"),
        ("shots/day2/d.jpg", "day2/d.jpg"),
    ]
    assert ("shots/day1/deep/e.tif", "day1/deep/e.tif") in found("shots/**/*.tif")
    assert found(str(shots / "shots/[a-b].*")) == [
        (str(shots / "shots/a.PNG"), "a.PNG"),
        (str(shots / "shots/b.jpg"), "b.jpg"),
    ]


def test_a_pattern_cannot_lead_out_of_the_output_folder(shots: Path) -> None:
    assert found("shots/day?/../../*.bmp") == [("shots/day1/../../x.bmp", "x.bmp")]


def test_a_file_with_the_name_of_a_pattern_is_that_file(shots: Path) -> None:
    assert find(["photo[1].jpg"]).sources == [Source(Path("photo[1].jpg"), Path("photo[1].jpg"), named=True)]


def test_a_named_file_may_have_any_ending_or_be_missing(shots: Path) -> None:
    assert found("shots/notes.txt", "none.jpg") == [
        ("shots/notes.txt", "notes.txt"),
        ("none.jpg", "none.jpg"),
    ]


def test_each_photo_comes_once(shots: Path) -> None:
    assert len(found("x.bmp", "*.bmp", "./x.bmp", str(shots / "x.bmp"))) == 1


def test_an_output_folder_among_the_inputs_is_not_searched(shots: Path) -> None:
    assert not any("day1" in path for path, _ in found("shots", recursive=True, leave_out="shots/day1"))
    assert not any("day1" in path for path, _ in found("shots/**/*.*", leave_out="shots/day1"))
    assert found("shots/day1", leave_out="shots/day1") == [("shots/day1/d.jpg", "d.jpg")]
    assert found("shots/day1/*.jpg", leave_out="shots/day1") == [("shots/day1/d.jpg", "d.jpg")]


def test_words_that_find_nothing_are_told(shots: Path) -> None:
    (shots / "empty").mkdir()
    answer = find(["empty", "*.gif", "x.bmp"])
    assert [str(source.path) for source in answer.sources] == ["x.bmp"]
    assert answer.notes == [
        "empty holds no photo (--recursive looks into its folders)",
        "*.gif matches no photo",
    ]


def test_closed_folders_are_told(shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may look anywhere, so the system's answer is played."""
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("day1"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    answer = find(["shots"], recursive=True)
    assert answer.closed == ["cannot look into shots/day1: Permission denied: change its permissions"]
    assert len(answer.sources) == 4


def test_folders_that_can_be_listed_only_are_closed(shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: not str(path).endswith("day1"))
    answer = find(["shots"], recursive=True)
    assert answer.closed == ["cannot look into shots/day1: Permission denied: change its permissions"]
    assert not any("day1" in str(source.path) for source in answer.sources)
