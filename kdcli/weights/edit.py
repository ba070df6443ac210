"""Adding a set to a register, and leaving everything else in it as it was."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically
from kdcli.weights.register import NAME, PACKAGE, WORDS, WeightsSet, read_sets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def add_set(register: Path, weights: WeightsSet, *, overwrite: bool = False) -> None:
    """Write a set into a register, which is made where there is none.

    Raises:
        UsageError: a name that registers cannot have, or that this one has already.
        KdError: the register is damaged, or cannot be written.
    """
    name = weights.name
    check_name(register, name, overwrite=overwrite)
    before = register.read_text(encoding="utf-8") if register.exists() else ""
    table = _table(weights)
    kept = _without(before, name).rstrip("\n")
    after = kept + "\n\n" * bool(kept) + _toml(name, table)
    if not _says(after, {**tomllib.loads(before), name: table}):
        raise KdError(f"{register} is written in a way that kd cannot edit: change {name} by hand")
    try:
        register.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KdError(f"cannot make the folder {register.parent}: {error.strerror or error}") from error
    write_atomically(register, after.encode(), overwrite=True)


def check_name(register: Path, name: str, *, overwrite: bool = False) -> None:
    """Make sure that a register can have a set of that name.

    Raises:
        UsageError: it is no name, or taken already.
        KdError: the register is damaged.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for weights: use letters, digits, - and _")
    if register.exists() and name in read_sets(register) and not overwrite:
        raise UsageError(f"{register} has weights {name} already: choose another name or add --overwrite")


def _says(text: str, tables: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == tables
    except tomllib.TOMLDecodeError:
        return False


def _table(weights: WeightsSet) -> dict[str, Any]:
    place = {}
    if weights.repo_id is not None:
        place = {"repo_id": weights.repo_id, "revision": weights.revision}
    elif weights.folder is not None and weights.folder.resolve() != PACKAGE.resolve():
        place = {"folder": str(weights.folder)}
    words = {key: getattr(weights, key) for key in WORDS}
    return {**words, **place, **{role: asdict(entry) for role, entry in weights.files.items()}}


def _toml(name: str, table: dict[str, Any]) -> str:
    # JSON writes text and numbers as TOML does.
    parts = {name: {key: value for key, value in table.items() if not isinstance(value, dict)}}
    parts |= {f"{name}.{key}": value for key, value in table.items() if isinstance(value, dict)}
    return "\n".join(
        f"[{title}]\n"
        + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in part.items())
        for title, part in parts.items()
    )


def _without(text: str, name: str) -> str:
    """The register's text without a set's tables; remarks above the next one stay."""
    own = re.compile(rf"\s*\[+\s*[\"']?{re.escape(name)}[\"']?\s*[].]")
    kept: list[str] = []
    remarks: list[str] = []  # since the last line of a table that goes
    dropping = False
    for line in text.splitlines(keepends=True):
        if re.match(r"\s*\[", line):
            if dropping and not own.match(line):
                kept += remarks
            dropping = own.match(line) is not None
            remarks = []
        if not dropping:
            kept.append(line)
        elif re.match(r"\s*(#|$)", line):
            remarks.append(line)
        else:
            remarks = []
    return "".join(kept)
