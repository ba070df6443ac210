"""From an entry to a file on this machine that is what the entry says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kdcli.errors import KdError
from kdcli.weights import hub
from kdcli.weights.header import verify
from kdcli.weights.register import DEFAULT, PACKAGE, WeightsSet, read_bundled

Progress = Callable[[str, float], None]


def whose(weights: WeightsSet, role: str) -> WeightsSet:
    """The set that a network is taken from: this one or, where it has none of the role, the bundled one."""
    return weights if role in weights.files else read_bundled()[DEFAULT]


def fetch(weights: WeightsSet, role: str, progress: Progress | None = None) -> Path:
    """A network's file, checked; what the Hub has is downloaded where it is not here yet.

    Args:
        role: of one of the set's files.
        progress: called with the stage and the fraction of the file that is here; without it, the Hub's
            client draws its own bar.

    Raises:
        KdError: the file cannot be had, or is not what the set says.
    """
    entry = weights.files[role]
    if weights.repo_id is None or weights.revision is None:
        path = _folder(weights) / entry.file
        verify(path, entry)
        return path
    stage = None if progress is None else lambda fraction: progress(f"fetch {role}", fraction)
    path = hub.download(weights.repo_id, entry.file, weights.revision, progress=stage)
    try:
        verify(path, entry)
    except KdError:
        hub.forget(path)  # or the cache would give it again and again
        raise KdError(
            f"{entry.file} of {weights.repo_id} on the Hub has not the size and SHA-256 that are known of "
            "it, and was thrown away unused: try again, and do not trust it if this stays so"
        ) from None
    return path


def here(weights: WeightsSet, role: str) -> Path | None:
    """Where a network's file lies on this machine, unchecked; None if it does not. Needs no network."""
    entry = weights.files[role]
    if weights.repo_id is None or weights.revision is None:
        path = _folder(weights) / entry.file
        return path if path.is_file() else None
    return hub.cached(weights.repo_id, entry.file, weights.revision)


def _folder(weights: WeightsSet) -> Path:
    return weights.folder or PACKAGE
