"""Bytes behind URLs: read, written whole or not at all, and refused in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically
from kdcli.files.paths import check_input, check_output
from kdcli.files.place import existing, is_folder, is_url, to_place
from kdcli.files.read_bytes import read_bytes

fsspec = pytest.importorskip("fsspec", reason="needs pip install 'kdcli[ray]'")
pytest.importorskip("upath", reason="needs pip install 'kdcli[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore:UPath 'drive' filesystem")


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    """Memory is the same for all tests of a process."""
    yield
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def drive(tmp_path: Path) -> Callable[..., Any]:
    """A function that makes URLs of a drive elsewhere, which shows files while they are written."""
    from fsspec.implementations.local import LocalFileSystem

    class Drive(LocalFileSystem):  # type: ignore[misc]
        protocol = "drive"
        broken = False

        def mv(self, *args: Any, **settings: Any) -> None:
            if Drive.broken:
                raise ConnectionResetError("the drive has gone")
            super().mv(*args, **settings)

    fsspec.register_implementation("drive", Drive, clobber=True)

    def url(name: str, *, broken: bool = False) -> Any:
        Drive.broken = broken
        return to_place(f"drive://{tmp_path}/{name}")

    return url


def test_words_become_places() -> None:
    assert to_place("shots/a.jpg") == Path("shots/a.jpg")
    assert to_place("file:///shots/a.jpg") == Path("/shots/a.jpg")
    place = to_place("memory://shots/a.b.jpg")
    assert (str(place), place.stem, place.suffix) == ("memory://shots/a.b.jpg", "a.b", ".jpg")
    assert not any(map(is_url, ("C:/a.jpg", "a://b"[1:], "file:///a.jpg", "-")))


@pytest.mark.parametrize(
    ("word", "missing", "said"),
    [
        ("s3://bucket/a.jpg", "upath", "s3://bucket/a.jpg is a URL: pip install 'kdcli[ray]'"),
        ("s3://bucket/a.jpg", "s3fs", "cannot be opened: pip install s3fs"),
        ("gs://bucket/a.jpg", "gcsfs", "cannot be opened: pip install gcsfs"),
        ("nowhere://a.jpg", None, "nowhere://a.jpg cannot be opened"),
    ],
)
def test_what_cannot_be_opened_says_what_to_install(
    word: str, missing: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError) as caught:
        to_place(word)
    assert said in str(caught.value)


def test_bytes_come_back(drive: Callable[..., Any]) -> None:
    for url in (to_place("memory://shots/a.jpg"), drive("new folder/a.jpg")):
        write_atomically(url, b"sharp")
        assert read_bytes(url, 5) == b"sharp"
        check_input(url)
        assert is_folder(url.parent)
        with pytest.raises(UsageError, match=r"exists already.*--overwrite"):
            write_atomically(url, b"other")
        write_atomically(url, b"other", overwrite=True)
        assert read_bytes(url, 5) == b"other"
        with pytest.raises(KdError, match="at most 0"):
            read_bytes(url, 4)


def test_what_is_not_there_or_a_folder_is_told() -> None:
    with pytest.raises(UsageError, match=r"memory://shots/a.jpg does not exist: check its name"):
        check_input(to_place("memory://shots/a.jpg"))
    with pytest.raises(UsageError, match="does not exist"):
        read_bytes(to_place("memory://shots/a.jpg"), 10)
    write_atomically(to_place("memory://shots/a.jpg"), b"")
    with pytest.raises(UsageError, match="is a folder: name one file in it"):
        check_input(to_place("memory://shots"))


def test_a_drive_that_goes_leaves_the_old_file_and_no_other(
    drive: Callable[..., Any], tmp_path: Path
) -> None:
    write_atomically(drive("a.jpg"), b"old")
    with pytest.raises(KdError, match=r"cannot write drive://.*a.jpg: the drive has gone"):
        write_atomically(drive("a.jpg", broken=True), b"new", overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.jpg": b"old"}


def test_outputs_are_checked_without_asking() -> None:
    url = to_place("memory://shots/a.jpg")
    check_output(url, (".jpg",))
    with pytest.raises(UsageError, match="names no format"):
        check_output(url, (".png",))
    with pytest.raises(UsageError, match="is an input and would be lost"):
        check_output(url, (".jpg",), inputs=[to_place("memory://shots/a.jpg")], overwrite=True)


def test_what_exists_is_asked_once_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = tmp_path / "c.jpg"
    here.touch()
    places = [to_place(f"memory://{name}.jpg") for name in ("day/a", "day/b", "night/a")]
    write_atomically(places[1], b"")
    memory = type(fsspec.filesystem("memory"))
    asked: list[str] = []
    listed = memory.ls
    monkeypatch.setattr(
        memory, "ls", lambda self, path, **how: asked.append(path) or listed(self, path, **how)
    )
    assert existing([*places, here, tmp_path / "d.jpg"]) == {places[1], here}
    assert sorted(asked) == ["/day", "/night"]
