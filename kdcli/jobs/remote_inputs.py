"""Which photos a URL means: one, those of a folder, or those that fit a pattern."""

from __future__ import annotations

import glob
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kdcli.files import remote
from kdcli.files.place import Place, to_place
from kdcli.jobs.inputs import Source, named, named_as_photo

if TYPE_CHECKING:
    from upath import UPath


def find_at(word: str, *, recursive: bool, leave_out: Place | None) -> tuple[list[Source], str]:
    """The photos that a URL stands for, and what to say where it stands for none; as `inputs.find`.

    Raises:
        UsageError: no installed package opens it.
        KdError: what is there refused to be listed.
    """
    url = to_place(word)
    assert not isinstance(url, Path)
    if glob.has_magic(word) and not remote.exists(url):
        fixed, pattern = _split(word)
        folder = to_place(fixed)
        assert not isinstance(folder, Path)
        return _sources(folder, remote.match(folder, pattern), leave_out), f"{word} matches no photo"
    if not remote.is_folder(url):
        return [named(word)], ""
    deeper = "" if recursive else " (--recursive looks into its folders)"
    return _sources(url, remote.find(url, recursive=recursive), leave_out), f"{word} holds no photo{deeper}"


def _split(word: str) -> tuple[str, str]:
    """A pattern's folder, up to the first part that is open, and the rest."""
    parts = word.split("/")
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:first]), "/".join(parts[first:])


def _sources(folder: UPath, below: list[str], leave_out: Place | None) -> list[Source]:
    found = []
    for name in below:
        parts = PurePosixPath(name).parts
        hidden = any(part.startswith(".") for part in parts)
        inside = leave_out is not None and leave_out != folder and leave_out in (folder / name).parents
        if named_as_photo(name) and not hidden and not inside:
            found.append(Source(folder / name, Path(*parts), named=False))
    return found
