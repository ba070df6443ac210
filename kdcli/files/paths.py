"""Checks on the paths that a user names, made before any work starts."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from kdcli.errors import UsageError


def check_input(path: Path) -> None:
    """Make sure that `path` is a file that can be read.

    Raises:
        UsageError: it is missing, is a folder, or may not be read.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name one file in it")
    if not path.exists():
        raise UsageError(f"{path} does not exist: check its name and folder")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} may not be read: change its permissions")


def check_output(
    path: Path, suffixes: Collection[str], *, inputs: Iterable[Path] = (), overwrite: bool = False
) -> None:
    """Make sure that `path` can be written, without writing it.

    Args:
        path: where the result will go.
        suffixes: the endings that name a format, lower case, each with its dot.
        inputs: files that must never be replaced, whatever `overwrite` says.
        overwrite: whether an existing file may be replaced.

    Raises:
        UsageError: unknown format, missing or closed folder, or a file in the way.
    """
    if path.suffix.lower() not in suffixes:
        known = ", ".join(suffixes)
        raise UsageError(f"{path}: its ending names no format that kd can write: use one of {known}")
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"the folder {folder} does not exist: make it first")
    if path.is_dir():
        raise UsageError(f"{path} is a folder: choose another name")
    if any(path.exists() and file.exists() and path.samefile(file) for file in inputs):
        raise UsageError(f"{path} is an input and would be lost: choose another output")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already: choose another name or add --overwrite")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"the folder {folder} may not be written to: choose another")
