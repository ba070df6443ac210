"""``weights.toml``, the one register of weights: which files there are, and how to know they are whole."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.errors import KdError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLDER = Path(__file__).parent
DEFAULT = "default"


@dataclass(frozen=True)
class WeightsFile:
    """One network's file in a set of weights.

    Attributes:
        file: its name.
        bytes, sha256: what it must measure.
    """

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class WeightsSet:
    """A kernel network and a solver that belong together.

    Attributes:
        name: what users call it.
        kernel, solver: the files.
        licence: of the weights.
        repo_id, revision: where on the Hugging Face Hub, or None: the files come with the package.
    """

    name: str
    kernel: WeightsFile
    solver: WeightsFile
    licence: str
    repo_id: str | None = None
    revision: str | None = None


def register_path() -> Path:
    """The register: beside this file where kd is installed, at the top of the project in a checkout."""
    for path in (_FOLDER / "weights.toml", _FOLDER.parent.parent / "weights.toml"):
        if path.is_file():
            return path
    raise KdError("weights.toml is missing from the installation: install kdcli again")


def read_register(path: Path | None = None) -> dict[str, WeightsSet]:
    """Every set in the register.

    Raises:
        KdError: the register is damaged.
    """
    path = path or register_path()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _parse(name, table) for name, table in content.items()}
    except (tomllib.TOMLDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise KdError(f"{path} is damaged ({error}): install kdcli again") from error


def _parse(name: str, table: dict[str, Any]) -> WeightsSet:
    files = {part: WeightsFile(**table[part]) for part in ("kernel", "solver")}
    return WeightsSet(
        name, **files, licence=table["licence"], repo_id=table.get("repo_id"), revision=table.get("revision")
    )


def locate(weights: WeightsSet, entry: WeightsFile) -> Path:
    """The file of an entry on this machine: the package's own, or the Hub's through its cache.

    Raises:
        KdError: it can't be had.
    """
    bundled = _FOLDER / entry.file
    if bundled.is_file():
        return bundled
    if weights.repo_id is None or weights.revision is None:
        raise KdError(f"{bundled} is missing from the installation: install kdcli again")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(weights.repo_id, entry.file, revision=weights.revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise KdError(
            f"the weights {weights.name} can't be fetched from {weights.repo_id}: {reason}"
        ) from error


def verify(path: Path, entry: WeightsFile) -> None:
    """Check a file against its entry.

    Raises:
        KdError: its size or its checksum is another.
    """
    size = path.stat().st_size
    if size != entry.bytes:
        raise KdError(f"{path} is damaged ({size} bytes instead of {entry.bytes}): install or fetch it again")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != entry.sha256:
        raise KdError(f"{path} is damaged (its SHA-256 is not the registered one): install or fetch it again")
