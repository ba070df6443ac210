"""Bytes behind URLs, read and written through fsspec."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from kdcli.errors import KdError, UsageError

if TYPE_CHECKING:
    from upath import UPath

_ATOMIC = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "obs", "memory"}
"""Protocols of stores where an object appears whole or not at all."""


def check_there(url: UPath) -> None:
    """Make sure that `url` is a file.

    Raises:
        UsageError: it is missing or a folder.
        KdError: the store refused.
    """
    with _told("read", url):
        kind = url.fs.info(url.path)["type"]
    if kind == "directory":
        raise UsageError(f"{url} is a folder: name one file in it")


def exists(url: UPath) -> bool:
    """Whether anything lies at `url`.

    Raises:
        KdError: the store refused.
    """
    with _told("read", url):
        return bool(url.fs.exists(url.path))


def is_folder(url: UPath) -> bool:
    """Whether a folder, or what a store has in its place, is at `url`.

    Raises:
        KdError: the store refused.
    """
    with _told("read", url):
        return bool(url.fs.isdir(url.path))


def read(url: UPath, most: int) -> bytes:
    """All bytes of the file at `url`.

    Raises:
        UsageError: it is missing.
        KdError: more than `most` bytes, or the store refused.
    """
    with _told("read", url):
        size = url.fs.size(url.path) or 0
        if size > most:
            raise KdError(f"{url}: {size >> 20} MiB, and what kd reads here has at most {most >> 20}")
        data: bytes = url.fs.cat_file(url.path)
    return data


def write(url: UPath, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` whole or not at all: a store's objects are so; elsewhere it is moved there when complete.

    Raises:
        UsageError: the file exists and `overwrite` is false.
        KdError: the store refused.
    """
    with _told("write", url):
        if not overwrite and url.fs.exists(url.path):
            raise UsageError(f"{url} exists already: choose another name or add --overwrite")
        if url.protocol in _ATOMIC:
            url.fs.pipe_file(url.path, data)
            return
        folder = url.parent
        url.fs.makedirs(folder.path, exist_ok=True)
        temporary = (folder / f".kd-{secrets.token_hex(8)}.part").path
        try:
            url.fs.pipe_file(temporary, data)
            url.fs.mv(temporary, url.path)
        except BaseException:
            with suppress(Exception):
                url.fs.rm_file(temporary)
            raise


def names(folder: UPath) -> set[str]:
    """The names of what lies in a folder, which need not be there.

    Raises:
        KdError: the store refused.
    """
    with _told("list", folder):
        try:
            entries = folder.fs.ls(folder.path, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return set()
    return {str(entry).rstrip("/").rpartition("/")[2] for entry in entries}


def find(folder: UPath, *, recursive: bool) -> list[str]:
    """The files in a folder, below it too if `recursive`, as paths from it, sorted.

    Raises:
        KdError: the store refused.
    """
    with _told("list", folder):
        return _from(folder, folder.fs.find(folder.path, maxdepth=None if recursive else 1))


def match(folder: UPath, pattern: str) -> list[str]:
    """The files below a folder whose paths from it fit a pattern, sorted.

    Raises:
        KdError: the store refused.
    """
    with _told("list", folder):
        found = folder.fs.glob(f"{folder.path.rstrip('/')}/{pattern}", detail=True)
        return _from(folder, [path for path, info in found.items() if info["type"] == "file"])


def _from(folder: UPath, paths: Iterable[str]) -> list[str]:
    start = folder.path.rstrip("/") + "/"
    return sorted(path.removeprefix(start) for path in paths)


@contextmanager
def _told(doing: str, url: UPath) -> Iterator[None]:
    """What the packages behind fsspec raise, and each raises its own, in one line."""
    try:
        yield
    except KdError:
        raise
    except FileNotFoundError as error:
        raise UsageError(f"{url} does not exist: check its name and folder") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise KdError(f"cannot {doing} {url}: {reason}: check the address and your credentials") from error
