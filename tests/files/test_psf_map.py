"""The map of the kernels of a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.errors import UsageError
from kdcli.files.psf_map import LONGEST, psf_map, write_psf_map


def dots(rows: int, columns: int) -> np.ndarray:
    kernels = np.zeros((rows, columns, 64, 64), np.float32)
    kernels[..., 31:33, 31:33] = 0.25
    return kernels


@pytest.mark.parametrize("scale", [1, 4])
def test_kernels_are_drawn_where_they_belong(scale: int) -> None:
    rows, columns = [100.0 * scale, 300.0 * scale], [150.0 * scale, 450.0 * scale]
    picture = psf_map(np.zeros((400 * scale, 600 * scale), np.float32), dots(2, 2), rows, columns)
    assert max(picture.size) == min(600 * scale, LONGEST)
    red = np.asarray(picture)[..., 0]
    shrunk = picture.size[0] / (600 * scale)
    for row in rows:
        for column in columns:
            assert red[round(row * shrunk) - 1, round(column * shrunk) - 1] > 200
    assert red[round(200 * scale * shrunk), round(300 * scale * shrunk)] == 0


def test_kernels_next_to_the_border_are_cut_off() -> None:
    picture = psf_map(np.zeros((300, 300, 3), np.float32), dots(1, 2), [2.0], [1.0, 299.0])
    assert np.asarray(picture)[2, [1, -1], 0].min() > 100


def test_all_kernels_for_programs(tmp_path: Path) -> None:
    path = tmp_path / "k.npy"
    write_psf_map(path, np.zeros((300, 300)), dots(2, 3), [1, 2], [1, 2, 3])
    assert np.load(path).shape == (2, 3, 64, 64)
    with pytest.raises(UsageError):
        write_psf_map(path, np.zeros((300, 300)), dots(1, 1), [1], [1])
    write_psf_map(tmp_path / "k.png", np.zeros((300, 300)), dots(1, 1), [150], [150])
    with Image.open(tmp_path / "k.png") as picture:
        assert picture.size == (300, 300)
