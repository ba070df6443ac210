"""What a large photo costs: 100 million pixels must fit into 6 GiB, whatever is done to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdcli.engine import patches, restore
from kdcli.engine.restore import shares, spans

TOP = Path(__file__).parents[2]
BYTES_A_PIXEL, BYTES = 42, 100e6
"""For the photo. Of 6.4e9 for 1e8 pixels 0.5e9 are for Python and torch, 1.4e9 for the solver on a piece."""
BYTES_IN_A_PIECE, BYTES_OF_PARTS = 130, 200e6
"""For a pixel of a piece; and for the parts of it in which the network goes over it."""
COUNTED = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20)}
"""Has glibc give back what is freed, so that what is held is what is used, and the same every time."""


def test_six_gibibytes_are_enough_for_100_megapixels() -> None:
    piece = BYTES_IN_A_PIECE * restore.TILE**2 + BYTES_OF_PARTS
    assert 0.5e9 + BYTES_A_PIXEL * 1e8 + BYTES + piece < 6 * 2**30


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory the way Linux tells it")
def test_memory_grows_with_a_photo_as_it_may(tmp_path: Path) -> None:
    """Reading, choosing patches, tiling and writing, with networks that do nothing."""
    texture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    smooth = Image.fromarray(texture).resize((512, 512), Image.Resampling.BICUBIC)
    photo = np.tile(np.asarray(smooth), (5, 7, 1))[:2400, :3500]
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=90)
    words = [str(tmp_path / "photo.jpg"), str(tmp_path / "out.jpg")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.large_photo", *words],
        capture_output=True,
        text=True,
        cwd=TOP,
        env=COUNTED,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < BYTES_A_PIXEL * 2400 * 3500 + BYTES
    with Image.open(tmp_path / "out.jpg") as image:
        restored = np.asarray(image).astype(int)
    assert np.abs(restored - photo).mean() < 3  # that is, the photo went all the way


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory the way Linux tells it")
def test_memory_grows_with_a_piece_as_it_may() -> None:
    words = [sys.executable, "-m", "tests.nets.large_photo", "1500", "2000"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=TOP, env=COUNTED, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < BYTES_IN_A_PIECE * 1500 * 2000 + BYTES_OF_PARTS


@pytest.mark.parametrize("size", [(256, 300), (300, 256), (700, 420), (1023, 260)])
def test_patches_are_the_same_however_many_rows_are_looked_at_together(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
    photo[..., : size[0] // 2, :] *= 0.1
    flat = 0.5 + 0.002 * (photo - 0.5)
    found = []
    for band in (32, 128, 4096):
        monkeypatch.setattr(patches, "_BAND", band)
        assert not patches.is_flat(photo)
        assert patches.is_flat(flat)
        found.append(patches.informative_patches(photo, 3))
    torch.testing.assert_close(found[0], found[2], rtol=0, atol=0)
    torch.testing.assert_close(found[1], found[2], rtol=0, atol=0)


@pytest.mark.parametrize("length", [17, 1024, 1025, 1000, 1999])
def test_the_shares_of_the_tiles_are_one_in_all(length: int) -> None:
    total = torch.zeros(length)
    parts = spans(length, 1024, 96)
    for share, (first, last) in zip(shares(parts, 96, torch.device("cpu")), parts, strict=True):
        total[first:last] += share
    torch.testing.assert_close(total, torch.ones(length))
