"""One network from several trained ones: the mean of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save

from kdcli.errors import UsageError
from kdcli.files.atomic import write_atomically
from kdcli.weights.header import digest, read_metadata
from kdcli.weights.store import load_state

_SAID_BY_ALL = ("architecture", "data", "held_out")


def average(files: Sequence[Path], out: Path, *, overwrite: bool = False) -> None:
    """Write the mean of networks, which is often better than each of them.

    They have to come from one another, as a run and the run that went on from its weights: then the loss is
    as low between them as at their ends (Wortsman et al., "Model soups", 2022).

    Args:
        files: of weights, two or more, of the same architecture.
        out: where the mean goes, in bfloat16. What all say of themselves it says, too.

    Raises:
        UsageError: fewer than two files, one that does not exist, networks that differ; ``out`` exists.
        KdError: a file is damaged, or ``out`` cannot be written.
    """
    if len(files) < 2:
        raise UsageError("an average is of two weights files or more")
    states = [load_state(file) for file in files]
    words = [read_metadata(file) for file in files]
    shapes = [{name: weight.shape for name, weight in state.items()} for state in states]
    for file, said, shape in zip(files[1:], words[1:], shapes[1:], strict=True):
        if (said.get("architecture"), shape) != (words[0].get("architecture"), shapes[0]):
            raise UsageError(f"{file} is of another network than {files[0]}: only like ones can be averaged")
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0).to(torch.bfloat16) for name in states[0]
    }
    shared = {
        key: words[0][key] for key in _SAID_BY_ALL if len({said.get(key) for said in words} - {None}) == 1
    }
    shared["average_of"] = ", ".join(f"{file.name} {digest(file)[:12]}" for file in files)
    write_atomically(out, save(mean, metadata=shared), overwrite=overwrite)
