"""What ``--weights`` may name: a set of a register, files on this machine, or a repository on the Hub."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

from kdcli.errors import KdError, UsageError
from kdcli.weights import hub
from kdcli.weights.architectures import find_architecture
from kdcli.weights.header import measure
from kdcli.weights.locate import Progress, fetch
from kdcli.weights.register import COMMIT, PAPER, REPO_ID, WeightsSet, parse_set, read_register

CONFIG = "config.json"
"""Beside the weights in a folder or repository: their entry as a register has it, without the place."""

_HUB = "hf://"
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)  # a commit, a tag or a branch
_MAX_CONFIG = 100_000  # bytes


def find_weights(text: str) -> WeightsSet:
    """The set that a user means.

    Args:
        text: a name in the register; a folder or a .safetensors file; or hf://OWNER/REPO[@REVISION].

    Raises:
        UsageError: nothing of that kind.
        KdError: a register or a config.json is damaged, or the Hub cannot be reached.
    """
    if text.startswith(_HUB):
        return from_hub(text)
    register = read_register()
    if text in register:
        return register[text]
    path = Path(os.path.expanduser(text))
    if not path.exists():
        if text == PAPER:
            raise UsageError(
                f"there are no weights {text} yet: make them of the authors' files with kd weights import "
                "--kernel-diff kernel-diff.pt --dwdn model_DWDN.pt"
            )
        known = ", ".join(register)
        raise UsageError(
            f"unknown weights {text!r}: name one of {known}, a folder, a .safetensors file, or "
            "hf://OWNER/REPO[@REVISION]"
        )
    return from_path(path)


def network_file(text: str, role: str, progress: Progress | None = None) -> Path:
    """The weights file of one network of the set that a user means; a file that is named is taken as it is.

    Raises:
        UsageError: nothing of that kind, or a set without such a network.
        KdError: as for `find_weights` and `fetch`.
    """
    path = Path(os.path.expanduser(text))
    if path.is_file():
        return path
    weights = find_weights(text)
    if role not in weights.files:
        raise UsageError(f"the weights {text} have no {role} network: name others")
    return fetch(weights, role, progress)


def from_path(path: Path) -> WeightsSet:
    """The set in a folder, or a single weights file; without a config.json, whatever it is now is right.

    Raises:
        UsageError: no weights there, or several of one kind.
        KdError: one of them is damaged.
    """
    name = str(path)
    if path.is_dir() and (path / CONFIG).is_file():
        return replace(_read_config(path / CONFIG, name), folder=path.resolve())
    files = sorted(path.glob("[!.]*.safetensors")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path} holds neither {CONFIG} nor .safetensors files: name another folder")
    entries = [measure(file) for file in files]
    found = {find_architecture(entry.architecture).role: entry for entry in entries}
    if len(found) < len(entries):
        raise UsageError(f"{path} holds several networks of a kind: name one of the files")
    return WeightsSet(name, found, folder=files[0].parent.resolve())


def from_hub(text: str) -> WeightsSet:
    """The set in a repository, at the commit that the revision stands for now; the name says which.

    Its config.json tells the files' checksums. The Hub vouches for that file, and nobody for its author.

    Raises:
        UsageError: `text` is not hf://OWNER/REPO[@REVISION].
        KdError: the Hub cannot be reached or has no such thing, or it is no weights for kd.
    """
    repo_id, _, revision = text.removeprefix(_HUB).partition("@")
    if not REPO_ID.fullmatch(repo_id) or not (_REVISION.fullmatch(revision) or text == _HUB + repo_id):
        raise UsageError(f"{text}: write hf://OWNER/REPO or hf://OWNER/REPO@REVISION")
    config = hub.download(repo_id, CONFIG, revision or "main", progress=lambda _: None)
    commit = config.parent.name  # the cache has a folder for every commit
    if not COMMIT.fullmatch(commit):
        raise KdError(f"{config} lies in no commit's folder: take {config.parent} away and try again")
    weights = _read_config(config, f"{_HUB}{repo_id}@{commit}")
    return replace(weights, repo_id=repo_id, revision=commit)


def _read_config(path: Path, name: str) -> WeightsSet:
    try:
        if path.stat().st_size > _MAX_CONFIG:
            raise ValueError("it is too long")
        return parse_set(name, json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:  # JSON's and Unicode's errors are ValueErrors
        raise KdError(f"{name} has no {CONFIG} of weights for kd: {error}") from error
    except OSError as error:
        raise KdError(f"{path} cannot be read: {error.strerror or error}") from error
