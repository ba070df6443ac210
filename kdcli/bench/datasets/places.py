"""Where published data sets lie on this machine, and what to say where they do not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kdcli.errors import UsageError

VARIABLE = "KD_DATA"


def find_data_dir(data_dir: Path | None) -> Path | None:
    """The folder that data sets lie in: the one given, or that of the environment variable KD_DATA.

    Raises:
        UsageError: it is no folder.
    """
    source = "--data-dir"
    if data_dir is None and os.environ.get(VARIABLE):
        source, data_dir = VARIABLE, Path(os.environ[VARIABLE]).expanduser()
    if data_dir is not None and not data_dir.is_dir():
        raise UsageError(f"{source} {data_dir} is no folder: name the one that holds the data sets")
    return data_dir


def find_set(data_dir: Path | None, name: str, folders: Sequence[str], offer: str) -> Path:
    """The folder of a named data set.

    Args:
        data_dir: as ``find_data_dir`` finds it.
        name: of the data set.
        folders: names that its folder may have.
        offer: where its owners offer it.

    Raises:
        UsageError: there is none.
    """
    if data_dir is None:
        raise UsageError(
            f"{name} is not here: name its folder with --data-dir or {VARIABLE}; get it from {offer}"
        )
    for folder in folders:
        if (data_dir / folder).is_dir():
            return data_dir / folder
    raise UsageError(
        f"{data_dir} has no folder {' or '.join(f'{f}/' for f in folders)}: get {name} from {offer}"
    )


def require(missing: Sequence[str], folder: Path, name: str, offer: str) -> None:
    """Refuse a data set that is not whole.

    Raises:
        UsageError: something is missing; the first three are named.
    """
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        named = ", ".join(missing[:3]) + more
        raise UsageError(f"{folder} lacks {named}: get {name} again from {offer}")
