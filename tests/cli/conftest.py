"""Weights of one's own, for the commands that take some."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's own register is; there is none yet."""
    monkeypatch.delenv("KD_WEIGHTS_FILE", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".config/kd/weights.toml"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Weights of small networks, a file each."""
    import torch

    from kdcli.weights.store import save_weights
    from tests.cli.small import small_kernel, small_solver

    torch.manual_seed(0)
    paths = []
    for role, make in (("kernel", small_kernel), ("solver", small_solver)):
        words = {
            "architecture": {"kernel": "kernel-2", "solver": "solver-5"}[role],
            "data": "3 photos",
            "validation": "mnc 0.5",
        }
        paths.append(tmp_path / f"{role}.safetensors")
        save_weights(make(), paths[-1], words)
    return paths
