"""Networks of a few numbers, in files as kd writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from kdcli.weights.architectures import ARCHITECTURES, Architecture
from kdcli.weights.store import save_weights


def toy() -> nn.Module:
    """A network of nine numbers; not the same ones every time."""
    return nn.Conv2d(1, 1, 3, bias=False)


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with kernel.safetensors and solver.safetensors, whose architectures kd knows for once."""
    folder = tmp_path / "toys"
    folder.mkdir()
    torch.manual_seed(0)
    for role in ("kernel", "solver"):
        architecture = f"toy-{role}-1"
        monkeypatch.setitem(ARCHITECTURES, architecture, Architecture(role, __name__, "toy"))
        words = {"command": f"kd train {role}", "data": "3 photos", "steps": "2", "commit": "abc"}
        measured = {"validation": "mnc 0.123, mnc1 0.100", "held_out": "4 pairs from 2 photos held out"}
        save_weights(
            toy(), folder / f"{role}.safetensors", {"architecture": architecture, **words, **measured}
        )
    return folder
