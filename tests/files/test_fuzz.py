"""Damaged files of every format: read, or refused in one line; no traceback, hang or swollen memory.

`KD_FUZZ=10000 pytest tests/files/test_fuzz.py` is the long form; the short one is part of every run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.files.seeds import seeds

COUNT = int(os.environ.get("KD_FUZZ", "400"))


@pytest.mark.skipif(sys.platform != "linux", reason="bounds its memory the way Linux does")
def test_damaged_files_are_read_or_refused() -> None:
    """In a process of its own, which a decoder may crash and which may have little memory."""
    words = [sys.executable, "-m", "tests.files.fuzz", "0", str(COUNT)]
    top = Path(__file__).parents[2]
    done = subprocess.run(words, capture_output=True, text=True, cwd=top, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"the file of number {lines[-1]}: {done.stderr}"
    assert done.stderr == ""
    said = re.fullmatch(r"(\d+) read, (\d+) refused, \d+ MiB", lines[-1])
    assert said is not None
    read, refused = map(int, said.groups())
    assert read + refused == COUNT
    assert min(read, refused) > 0.1 * COUNT  # the damage is neither too little nor too much to tell anything


def test_a_number_stands_for_one_damaged_file() -> None:
    from tests.files.fuzz import damaged

    files = seeds()
    assert seeds() == files
    cases = [damaged(number, files) for number in range(400)]
    assert cases == [damaged(number, files) for number in range(400)]
    assert len({data for _, data in cases}) > 390
    assert {name for name, _ in cases} == set(files)
