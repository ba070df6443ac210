"""Checks on the paths that a user names, made before any work starts."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from kdcli.errors import UsageError
from kdcli.files.place import Place


def check_input(path: Place) -> None:
    """Make sure that `path` is a file that can be read.

    Raises:
        UsageError: it is missing, is a folder, or may not be read.
    """
    if not isinstance(path, Path):
        from kdcli.files import remote

        remote.check_there(path)
        return
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder: name one file in it")
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path} does not exist: check its name and folder") from error
    except PermissionError as error:
        raise UsageError(f"{path} may not be read: change the permissions of its folder") from error
    except OSError as error:  # a name too long, links in a circle
        raise UsageError(f"{path} cannot be read ({error.strerror}): check its name and folder") from error
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} may not be read: change its permissions")


def check_output(
    path: Place,
    suffixes: Collection[str],
    *,
    inputs: Iterable[Place] = (),
    overwrite: bool = False,
    make_folder: bool = False,
) -> None:
    """Make sure that `path` can be written, without writing it.

    Args:
        path: where the result will go; a URL is not asked what is there.
        suffixes: the endings that name a format, lower case, each with its dot.
        inputs: files that must never be replaced, whatever `overwrite` says.
        overwrite: whether an existing file may be replaced.
        make_folder: whether a missing folder will be made.

    Raises:
        UsageError: unknown format, missing or closed folder, or a file in the way.
    """
    if path.suffix.lower() not in suffixes:
        known = ", ".join(suffixes)
        raise UsageError(f"{path}: its ending names no format that kd can write: use one of {known}")
    if not isinstance(path, Path):  # to ask for more costs time for each: writing will tell
        if path in inputs:
            raise UsageError(f"{path} is an input and would be lost: choose another output")
        return
    folder = path.parent
    while make_folder and not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    if not os.path.exists(folder):
        raise UsageError(f"the folder {folder} does not exist: make it first")
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file, so {path} cannot lie in it: name another folder")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:  # a name too long, links in a circle
        raise UsageError(f"{path} cannot be written ({error.strerror}): choose another name") from error
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise UsageError(f"{path} is a folder: choose another name")
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path} is no file but a pipe or device: choose another name")
        if any(isinstance(file, Path) and os.path.exists(file) and path.samefile(file) for file in inputs):
            raise UsageError(f"{path} is an input and would be lost: choose another output")
        if not overwrite:
            raise UsageError(f"{path} exists already: choose another name or add --overwrite")
    if path.is_symlink():
        folder = path.resolve().parent  # a link is followed: what it leads to is written
    if not os.access(folder, os.W_OK):
        raise UsageError(f"the folder {folder} may not be written to: choose another")
