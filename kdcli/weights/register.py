"""``weights.toml``, the register of weights: which sets there are, and how to know that they are whole.

kd has one, and users may have their own in ``~/.config/kd/weights.toml`` or where ``KD_WEIGHTS_FILE`` says::

    [NAME]
    licence = "..."
    data = "what it was trained on"
    quality = "what was measured"
    repo_id = "OWNER/REPO"        # on the Hugging Face Hub, with the whole hash of a commit;
    revision = "..."              # or folder = "..." on this machine, seen from the register

    [NAME.kernel]                 # and the same for NAME.solver; the bundled one stands in if left out
    architecture = "kernel-1"
    file = "kernel.safetensors"
    bytes = 1
    sha256 = "..."
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Any

from kdcli.errors import KdError, UsageError
from kdcli.files.user import config_folder
from kdcli.weights.architectures import ARCHITECTURES, ROLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = Path(__file__).parent
DEFAULT = "default"
PAPER = "paper"  # what `kd weights import` calls the published networks
UNKNOWN = "not stated"
WORDS = ("licence", "data", "quality")
MAX_TEXT = 1000

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class WeightsFile:
    """One network's file in a set of weights.

    Attributes:
        architecture: name and version of the network, a key of ``ARCHITECTURES``.
        file: its name, a plain one.
        bytes, sha256: what it must measure.
    """

    architecture: str
    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class WeightsSet:
    """Networks that belong together. Without a folder and a repository, they come with the package.

    Attributes:
        name: what users call it.
        files: by role; at least one of "kernel" and "solver".
        licence: of the weights.
        data: what they were trained on.
        quality: what was measured.
        folder: where they are on this machine.
        repo_id, revision: where they are on the Hugging Face Hub, with the hash of the commit.
    """

    name: str
    files: dict[str, WeightsFile] = field(hash=False)
    licence: str = UNKNOWN
    data: str = UNKNOWN
    quality: str = UNKNOWN
    folder: Path | None = None
    repo_id: str | None = None
    revision: str | None = None

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(entry.bytes for entry in self.files.values())


def read_register() -> dict[str, WeightsSet]:
    """Every set: kd's, and the user's own, which win where names are equal.

    Raises:
        KdError: a register is damaged.
        UsageError: ``KD_WEIGHTS_FILE`` names no file.
    """
    return {**read_bundled(), **_read_own(own_register())}


def read_bundled() -> dict[str, WeightsSet]:
    """The sets of kd's own register: beside this file where kd is installed, on top in a checkout.

    Raises:
        KdError: it is missing or damaged.
    """
    for path in (PACKAGE / "weights.toml", PACKAGE.parent.parent / "weights.toml"):
        if path.is_file():
            return read_sets(path)
    raise KdError("weights.toml is missing from the installation: install kdcli again")


def own_register() -> Path:
    """The user's own register, whether it exists or not."""
    named = os.environ.get("KD_WEIGHTS_FILE")
    return Path(os.path.expanduser(named)) if named else config_folder() / "weights.toml"


def _read_own(path: Path) -> dict[str, WeightsSet]:
    if path.exists():
        return read_sets(path)
    if os.environ.get("KD_WEIGHTS_FILE"):
        raise UsageError(f"KD_WEIGHTS_FILE names {path}, which does not exist: mend it or take it away")
    return {}


def read_sets(path: Path) -> dict[str, WeightsSet]:
    """The sets of one register.

    Raises:
        KdError: it cannot be read, or says something that cannot be.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            name: _placed(parse_set(_name(name), table), table, path.parent) for name, table in tables.items()
        }
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise KdError(f"{path} is damaged ({error}): mend it, or install kdcli again if it is its") from error
    except OSError as error:
        raise KdError(f"{path} cannot be read: {error.strerror or error}") from error


def parse_set(name: str, table: object) -> WeightsSet:
    """A set as registers and the ``config.json`` of repositories write it, wherever its files may be.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(table, dict):
        raise ValueError(f"{name} is no table")
    files = {role: _parse_file(f"{name}.{role}", table[role]) for role in ROLES if role in table}
    if not files:
        raise ValueError(f"{name} names neither a kernel network nor a solver")
    for role, entry in files.items():
        known = ARCHITECTURES.get(entry.architecture)  # a newer kd's are only refused when they are used
        if known is not None and known.role != role:
            raise ValueError(f"{name}.{role}: {entry.architecture} is a {known.role}")
    words = {key: _text(name, table, key) for key in WORDS}
    return WeightsSet(name, files, words["licence"], words["data"], words["quality"])


def is_plain(file: str) -> bool:
    """Whether a file's name is just that, on every system: it leads nowhere else and holds no pickle."""
    return (
        file == Path(file).name == PureWindowsPath(file).name
        and not file.startswith(".")
        and file.endswith(".safetensors")
        and file.isprintable()
    )


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: use letters, digits, - and _")
    return name


def _parse_file(name: str, table: object) -> WeightsFile:
    if not isinstance(table, dict):
        raise ValueError(f"{name} is no table")
    architecture, file, size, digest = (table.get(k) for k in ("architecture", "file", "bytes", "sha256"))
    if not isinstance(architecture, str) or not NAME.fullmatch(architecture):
        raise ValueError(f"{name} has no architecture")
    if not isinstance(file, str) or not is_plain(file):
        raise ValueError(f"{name}: the file must be the plain name of a .safetensors file, not {file!r}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ValueError(f"{name}: bytes must be the file's size, not {size!r}")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise ValueError(f"{name}: sha256 must be 64 hexadecimal digits, not {digest!r}")
    return WeightsFile(architecture, file, size, digest)


def _text(name: str, table: dict[str, Any], key: str) -> str:
    """One line for people; what comes from the network is shown in terminals, and must not steer them."""
    value = table.get(key, UNKNOWN)
    if not isinstance(value, str) or not value.isprintable() or len(value) > MAX_TEXT:
        raise ValueError(f"{name}: {key} must be one line of text")
    return value


def _placed(weights: WeightsSet, table: dict[str, Any], beside: Path) -> WeightsSet:
    """The set, with the place that a register gives it."""
    repo_id, revision, folder = (table.get(key) for key in ("repo_id", "revision", "folder"))
    if repo_id is None and revision is None:
        if folder is None:
            return weights
        if not isinstance(folder, str):
            raise ValueError(f"{weights.name}: the folder must be a path")
        return replace(weights, folder=beside / os.path.expanduser(folder))
    if folder is not None:
        raise ValueError(f"{weights.name} has both a folder and a repository")
    if not isinstance(repo_id, str) or not REPO_ID.fullmatch(repo_id):
        raise ValueError(f"{weights.name}: repo_id must be OWNER/REPO, not {repo_id!r}")
    if not isinstance(revision, str) or not COMMIT.fullmatch(revision):
        raise ValueError(f"{weights.name}: revision must be the 40 digits of a commit, not {revision!r}")
    return replace(weights, repo_id=repo_id, revision=revision)
