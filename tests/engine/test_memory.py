"""What a large photo costs: 100 million pixels must fit into 6 GiB, whatever is done to them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdcli.engine import patches
from kdcli.engine.restore import TILE, shares, spans
from kdcli.nets.solver import REACH

TOP = Path(__file__).parents[2]
BYTES_A_PIXEL = 56
"""Of 6.4e9 bytes for 1e8 pixels, less 0.8e9 for Python, torch and the networks at work on a tile."""


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
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < BYTES_A_PIXEL * 2400 * 3500
    with Image.open(tmp_path / "out.jpg") as image:
        restored = np.asarray(image).astype(int)
    assert np.abs(restored - photo).mean() < 3  # that is, the photo went all the way


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


@pytest.mark.parametrize("length", [17, TILE, TILE + 1, 1000, 1999])
def test_the_shares_of_the_tiles_are_one_in_all(length: int) -> None:
    total = torch.zeros(length)
    parts = spans(length)
    for share, (first, last) in zip(shares(parts, REACH, torch.device("cpu")), parts, strict=True):
        total[first:last] += share
    torch.testing.assert_close(total, torch.ones(length))
