"""Where the measuring data lies, if it does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of `bsd100_motion` and `reference_kernels`; without it the test is skipped."""
    folder = Path(os.environ.get("KD_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "bsd100_motion").is_dir():
        pytest.skip(f"{folder} holds no bsd100_motion: set KD_DATA to the folder of the measuring data")
    return folder
