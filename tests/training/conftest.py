"""Photos made on the fly, and a run small enough for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.training import run
from kdcli.training.data import Batch, PairMaker
from kdcli.training.kernel import KernelTask


def textured(seed: int, height: int = 256, width: int = 272) -> np.ndarray:
    """A photo (H, W, 3) uint8 of blocks and grain."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(20, 235, (-(-height // 16), -(-width // 16), 3)).repeat(16, 0).repeat(16, 1)
    return (blocks[:height, :width] + rng.normal(0, 8, (height, width, 3))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three photos, one too small, and a text."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(3):
        Image.fromarray(textured(i)).save(folder / f"{i}.png")
    Image.fromarray(textured(3, 100, 300)).save(folder / "low.jpg")
    (folder / "notes.txt").write_text("no photo")
    return folder


class SmallMaker(PairMaker):
    """A single pair held out."""

    def make(self, count: int, kernels: torch.Tensor | None = None, clean: bool | None = None) -> Batch:
        return super().make(1 if self.clean else count, kernels, clean)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path) -> dict[str, Any]:
    """The settings of a small run; the networks that it trains have 8 or 16 channels."""
    monkeypatch.setattr(run, "KernelNet", lambda: KernelNet((8, 8, 8), (16, 16, 16)))
    monkeypatch.setattr(run, "KernelTask", lambda fine: KernelTask(coarse=1, fine=fine))
    monkeypatch.setattr(run, "Solver", lambda: Solver((8, 8, 8)))
    monkeypatch.setattr(run, "Judge", lambda: Judge((16, 16), (16, 16)))
    monkeypatch.setattr(run, "PairMaker", SmallMaker)
    return {
        "photos": photos,
        "out": tmp_path / "run",
        "budget": 1e9,
        "steps": 2,
        "batch": 2,
        "size": 96,
        "pool": 8,
        "device": "cpu",
        "command": "kd train",
    }
