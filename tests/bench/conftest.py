"""A folder of photos to cut pairs from, and what two runs must have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def waves(seed: int, height: int, width: int) -> np.ndarray:
    """A photo (H, W, 3) uint8 without two crops alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = [np.sin(x / a + y / b) + np.sin(x * y / 2000) for a, b in rng.uniform(2, 20, (3, 2))]
    return ((np.stack(planes, -1) + 2) * 255 / 4).astype(np.uint8)


def timeless(value: Any) -> Any:
    """A result without what differs between two runs: seconds and memory."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not k.startswith(("seconds", "peak_memory"))}
        return {k: timeless(v) for k, v in kept.items()}
    return [timeless(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour, grey, one of the least size, one too small, and a text."""
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(waves(0, 300, 340)).save(folder / "colour.png")
    Image.fromarray(waves(1, 280, 400)[..., 0]).save(folder / "grey.jpg")
    Image.fromarray(waves(2, 256, 256)).save(folder / "least.PNG")
    Image.fromarray(waves(3, 255, 900)).save(folder / "low.png")
    (folder / "notes.txt").write_text("no photo")
    return folder
