"""What a safetensors file says of itself, read without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import SafetensorError, safe_open

from kdcli.errors import KdError, UsageError
from kdcli.weights.register import WeightsFile, is_plain


def read_metadata(path: Path) -> dict[str, str]:
    """The words about a weights file's making.

    Raises:
        KdError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise KdError(f"{path} is damaged ({error}): fetch or install it again") from error
    return metadata


def digest(path: Path) -> str:
    """A file's SHA-256.

    Raises:
        OSError: it cannot be read.
    """
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(2**20):
            whole.update(part)
    return whole.hexdigest()


def measure(path: Path) -> WeightsFile:
    """The register's entry for a file as it is.

    Raises:
        UsageError: it is missing, is no safetensors file by its name, or does not say which network it is of.
        KdError: it is damaged.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such weights file")
    if not is_plain(path.name):
        raise UsageError(f"{path}: kd loads .safetensors files only; others may run code when loaded")
    architecture = read_metadata(path).get("architecture")
    if architecture is None:
        raise UsageError(f"{path} does not say which network it is of: use a file that kd train wrote")
    return WeightsFile(architecture, path.name, path.stat().st_size, digest(path))


def verify(path: Path, entry: WeightsFile) -> None:
    """Check a file against its entry.

    Raises:
        KdError: it is missing, or its size or its checksum is another.
    """
    try:
        size, found = path.stat().st_size, digest(path)
    except OSError as error:
        raise KdError(
            f"{path} cannot be read: {error.strerror or error}: fetch or install it again"
        ) from error
    if size != entry.bytes:
        raise KdError(f"{path} is damaged ({size} bytes instead of {entry.bytes}): fetch or install it again")
    if found != entry.sha256:
        raise KdError(f"{path} is damaged (its SHA-256 is not the registered one): fetch or install it again")
