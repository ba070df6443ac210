"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kdcli.errors import KdError, UsageError
from kdcli.files.place import Place

if sys.platform != "win32":
    import fcntl

_unfinished: set[Path] = set()
_swept: set[Path] = set()


def write_atomically(path: Place, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` beside `path` under a temporary name, then move it into place in one step.

    Whatever happens, `path` holds either what it held before or all of `data`. A link is followed, so
    that the file it points to is the one replaced; what is replaced hands on its permissions.

    Raises:
        UsageError: `path` exists and `overwrite` is false.
        KdError: the system refused: disk full, no permission, folder gone.
    """
    if not isinstance(path, Path):
        from kdcli.files import remote

        remote.write(path, data, overwrite=overwrite)
        return
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already: choose another name or add --overwrite")
    target = path.resolve()
    try:
        with _temporary(target.parent) as (file, temporary):
            with suppress(OSError):  # there is no such file, or its drive knows no permissions
                shutil.copymode(target, temporary)  # what is private stays so
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()  # there an open file can be neither moved nor, by `sweep`, removed
            os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or error
        raise KdError(f"cannot write {path}: {reason}: check the folder and the free space") from error


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in `folder`, and no others."""
    with suppress(OSError):
        for path in folder.glob(".kd-*.part"):
            with suppress(OSError), open(path, "rb") as file:
                if sys.platform != "win32":
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
                    path.unlink()
            if sys.platform == "win32":
                with suppress(OSError):
                    path.unlink()


def discard_unfinished() -> None:
    """Remove the temporary files of this process, which is about to end without tidying up."""
    for path in list(_unfinished):
        with suppress(OSError):
            path.unlink()


@contextmanager
def _temporary(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file, locked as long as it is open, and removed at the end unless it was moved away."""
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)
    while True:
        path = folder / f".kd-{secrets.token_hex(8)}.part"
        _unfinished.add(path)
        try:
            with open(path, "xb") as file:
                if not _lock(file):
                    continue
                yield file, path
                return
        finally:
            path.unlink(missing_ok=True)
            _unfinished.discard(path)


def _lock(file: BinaryIO) -> bool:
    """Lock a new file against `sweep`; False where that was quicker and has removed it."""
    if sys.platform == "win32":
        return True
    with suppress(OSError):  # not every network drive has locks; there, `sweep` finds none to take either
        fcntl.flock(file, fcntl.LOCK_EX)
    return os.fstat(file.fileno()).st_nlink > 0
