"""A folder of weights as it goes to the Hub: safetensors, config.json, and a model card."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from kdcli._version import __version__
from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically
from kdcli.weights import hub
from kdcli.weights.architectures import find_architecture
from kdcli.weights.header import measure, read_metadata
from kdcli.weights.locate import fetch
from kdcli.weights.register import MAX_TEXT, REPO_ID, UNKNOWN
from kdcli.weights.source import CONFIG, from_path

CARD = "README.md"
SAMPLES = "samples.png"
_REPOSITORY = "OWNER/REPO"  # in the card, until it is pushed

_MEASURES = {
    "mnc": "estimated against true kernels: normalised cross-correlation at the best shift; 1 is perfect",
    "psnr_estimated": "photos restored with estimated kernels, dB",
    "psnr_true": "photos restored with the true kernels, dB",
    "psnr_input": "the blurred photos themselves, dB",
    "rank_correlation": "of the likeness (MNC) that the judge expects and the true one",
    "error": "root mean square of the difference of both",
}


def write_package(
    folder: Path, files: Iterable[Path], *, licence: str = UNKNOWN, samples: Path | None = None
) -> None:
    """Make a folder ready to be uploaded, from weights files and what they say of their making.

    Args:
        files: one to three that ``kd train`` wrote, of different networks.
        samples: a picture for the card.

    Raises:
        KdError: the folder cannot be written.
        UsageError: a file does not say which network it is of.
    """
    told: dict[str, dict[str, str]] = {}
    config: dict[str, object] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KdError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    for file in files:
        entry = measure(file)
        role = find_architecture(entry.architecture).role
        told[role] = read_metadata(file)
        name = f"{role}.safetensors"
        config[role] = {**asdict(entry), "file": name}
        write_atomically(folder / name, file.read_bytes(), overwrite=True)
    about = {
        "kd": __version__,
        "licence": licence,
        "data": _both(told, "data"),
        "quality": _both(told, "validation"),
    }
    if samples is not None:
        write_atomically(folder / SAMPLES, samples.read_bytes(), overwrite=True)
    card = _card(told, licence, with_samples=samples is not None)
    write_atomically(folder / CARD, card.encode(), overwrite=True)
    write_atomically(
        folder / CONFIG, (json.dumps({**about, **config}, indent=2) + "\n").encode(), overwrite=True
    )


def push(folder: Path, repo_id: str, *, private: bool = False, message: str = "Weights for kd") -> str:
    """Upload a folder that `write_package` made; nothing else that may lie in it.

    Returns:
        The hash of the commit.

    Raises:
        UsageError: no such folder, or no name of a repository.
        KdError: a file that is not what config.json says, or the Hub refuses.
    """
    if not REPO_ID.fullmatch(repo_id):
        raise UsageError(f"{repo_id!r} is no repository: write OWNER/REPO")
    for name in (CONFIG, CARD):
        if not (folder / name).is_file():
            raise UsageError(f"{folder} has no {name}: name a folder that kd train made, RUN/upload")
    weights = from_path(folder)
    files: dict[str, Path | bytes] = {
        entry.file: fetch(weights, role) for role, entry in weights.files.items()
    }
    files[CONFIG] = folder / CONFIG
    files[CARD] = (folder / CARD).read_bytes().replace(_REPOSITORY.encode(), repo_id.encode())
    if (folder / SAMPLES).is_file():
        files[SAMPLES] = folder / SAMPLES
    return hub.upload(repo_id, files, private=private, message=message)


def _both(told: dict[str, dict[str, str]], key: str) -> str:
    """What the files say, in one line; with the network's name where they differ."""
    said = {role: metadata.get(key, UNKNOWN) for role, metadata in told.items()}
    line = "; ".join(f"{role}: {words}" for role, words in said.items())
    if len(set(said.values())) == 1:
        line = next(iter(said.values()))
    return "".join(c if c.isprintable() else " " for c in line)[:MAX_TEXT]


def _card(told: dict[str, dict[str, str]], licence: str, *, with_samples: bool) -> str:
    """The model card; what it says is what was measured at the end of training."""
    lines = [
        "---",
        "library_name: kdcli",
        "license: other",
        "pipeline_tag: image-to-image",
        "tags: [deblurring, blind-deconvolution, diffusion]",
        "---",
        "",
        "# Weights for kd, blind motion deblurring",
        "",
        f"Networks: {' and '.join(told)}. `kd` takes its own for one that is not here.",
        "",
        "```sh",
        f"kd deblur photo.jpg --weights hf://{_REPOSITORY}",
        "```",
        "",
        f"Licence: {licence}.",
    ]
    for role, metadata in told.items():
        rows = [
            f"| {key} | {metadata.get(key, UNKNOWN)} |" for key in ("architecture", "data", "steps", "commit")
        ]
        lines += ["", f"## {role}", "", "| | |", "| --- | --- |", *rows]
        lines += ["", f"Made by `{metadata.get('command', UNKNOWN)}`", ""]
        lines += [f"Measured at the end of training, on {metadata.get('held_out', 'pairs held out')}:", ""]
        lines += ["| | | |", "| --- | --- | --- |", *_rows(metadata.get("validation", ""))]
    if with_samples:
        lines += ["", "## Samples", "", f"![held-out photos]({SAMPLES})"]
    return "\n".join(lines) + "\n"


def _rows(validation: str) -> list[str]:
    """A row for each score in "name 0.123, name 4.567"."""
    pairs = [part.split(" ") for part in validation.split(", ") if " " in part]
    return [f"| {name} | {score} | {_MEASURES.get(name, 'on the way')} |" for name, score in pairs]
