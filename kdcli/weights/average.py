"""One network from several trained ones: the mean of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save

from kdcli.errors import UsageError
from kdcli.files.atomic import write_atomically
from kdcli.weights.header import measure, read_metadata
from kdcli.weights.store import load_state

_SAID = ("architecture", "data", "held_out")


def average(files: Sequence[Path], out: Path, *, overwrite: bool = False) -> None:
    """Write the mean of networks, which is often better than each of them.

    They have to come from one another, as a run and the run that went on from its weights: then the loss is
    as low between them as at their ends (Wortsman et al., "Model soups", 2022).

    Args:
        files: of weights, two or more, of the same architecture.
        out: where the mean goes, in bfloat16. What all say of themselves it says, too.

    Raises:
        UsageError: fewer than two files, one that is none of kd's (``measure``), networks that differ;
            ``out`` exists.
        KdError: a file is damaged, or ``out`` cannot be written.
    """
    if len(files) < 2:
        raise UsageError("an average is of two weights files or more")
    entries = [measure(file) for file in files]
    states = [load_state(file) for file in files]
    kinds = [
        (entry.architecture, {name: weight.shape for name, weight in state.items()})
        for entry, state in zip(entries, states, strict=True)
    ]
    for file, kind in zip(files, kinds, strict=True):
        if kind != kinds[0]:
            raise UsageError(f"{file} is of another network than {files[0]}: only like ones can be averaged")
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0).to(torch.bfloat16) for name in states[0]
    }
    first, *others = (read_metadata(file).items() for file in files)
    shared = dict(said for said in first if said[0] in _SAID and all(said in other for other in others))
    shared["average_of"] = ", ".join(f"{entry.file} {entry.sha256[:12]}" for entry in entries)
    write_atomically(out, save(mean, metadata=shared), overwrite=overwrite)
