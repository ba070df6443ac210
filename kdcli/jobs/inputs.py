"""Which photos are meant by the words of a command line: files, folders, patterns and URLs of them."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdcli.files.encode import SUFFIXES
from kdcli.files.place import Place, is_url, to_place, without_file_scheme

PHOTO_SUFFIXES = {*SUFFIXES, ".jpe", ".jfif", ".avif", ".heic", ".heif"}
"""The endings of what counts as a photo in a folder; a file named by itself may have any."""


@dataclass(frozen=True)
class Source:
    """A photo to work on.

    Attributes:
        path: of its file, or its URL; None is stdin.
        below: where it belongs below an output folder: its name, with the folders between it and the
            folder or the fixed part of the pattern that it was found by.
        named: whether it was named by itself, rather than found in a folder or by a pattern.
    """

    path: Place | None
    below: Path
    named: bool = True

    @property
    def key(self) -> tuple[str, Path]:
        """The same for a photo that is meant twice."""
        return os.path.abspath(str(self.path)), self.below


@dataclass(frozen=True)
class Found:
    """The photos that words stand for.

    Attributes:
        sources: they, each once.
        notes: a line for each word that found nothing.
        closed: a line for each folder that could not be looked into.
    """

    sources: list[Source]
    notes: list[str]
    closed: list[str]


STDIN = Source(None, Path("stdin"))


def named(name: str) -> Source:
    """A photo named by itself, which need not be there."""
    place = to_place(name)
    return Source(place, Path(place.name))


def find(words: Sequence[str], *, recursive: bool = False, leave_out: Place | None = None) -> Found:
    """The photos that words stand for, in the words' order and sorted within each.

    Args:
        words: a file; a folder, meaning the photos in it; or a pattern with `*`, `?`, `[]` or `**`, unless
            a file of this very name is there. Hidden files are not found.
        recursive: whether folders are searched to their depth (links to folders are not followed).
        leave_out: a folder that is not searched, unless it is itself where a word points.

    Returns:
        The photos, each once.

    Raises:
        UsageError, KdError: a URL cannot be opened.
    """
    sources: dict[tuple[str, Path], Source] = {}
    notes: list[str] = []
    closed: list[str] = []
    for word in map(without_file_scheme, words):
        if is_url(word):
            from kdcli.jobs.remote_inputs import find_at

            found, said = find_at(word, recursive=recursive, leave_out=leave_out)
        elif os.path.isdir(word):
            found = list(_in_folder(word, recursive, leave_out, closed))
            deeper = "" if recursive else " (--recursive looks into its folders)"
            said = f"{word} holds no photo{deeper}"
        elif glob.has_magic(word) and not os.path.lexists(word):
            found = list(_matching(word, leave_out))
            said = f"{word} matches no photo"
        else:
            found = [named(word)]
        if not found:
            notes.append(said)
        for source in found:
            sources.setdefault(source.key, source)
    return Found(list(sources.values()), notes, closed)


def _in_folder(folder: str, recursive: bool, leave_out: Place | None, closed: list[str]) -> Iterator[Source]:
    def note(error: OSError) -> None:
        closed.append(f"cannot look into {error.filename}: {error.strerror}: change its permissions")

    for place, folders, files in os.walk(folder, onerror=note):
        if not os.access(place, os.X_OK):  # its names can be read, and nothing behind them
            note(PermissionError(errno.EACCES, os.strerror(errno.EACCES), place))
            folders.clear()
            continue
        yield from (
            Source(path, path.relative_to(folder), named=False)
            for path in (Path(place, name) for name in sorted(files))
            if _is_photo(path)
        )
        folders[:] = sorted(
            name
            for name in folders
            if recursive and not name.startswith(".") and not _same(os.path.join(place, name), leave_out)
        )


def _matching(pattern: str, leave_out: Place | None) -> Iterator[Source]:
    parts = Path(pattern).parts
    fixed = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):
        below = path.relative_to(fixed)
        if not _is_photo(path) or any(_same(fixed / folder, leave_out) for folder in [*below.parents][:-1]):
            continue
        yield Source(path, Path(path.name) if ".." in below.parts else below, named=False)


def named_as_photo(name: str) -> bool:
    """Whether a file's name, or a path's, ends as those of photos do."""
    return os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES


def _is_photo(path: Path) -> bool:
    return named_as_photo(path.name) and not path.name.startswith(".") and os.path.isfile(path)


def _same(folder: str | Path, other: Place | None) -> bool:
    return isinstance(other, Path) and other.is_dir() and os.path.samefile(folder, other)
