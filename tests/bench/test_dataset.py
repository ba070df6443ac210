"""Data-set folders that lack something say what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.bench.dataset import load_dataset
from kdcli.errors import KdError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two pairs of 64x80 pixels, the first of them grey."""
    for part, level in (("sharp", 51), ("blurred", 102)):
        (tmp_path / part).mkdir()
        Image.new("L", (80, 64), level).save(tmp_path / part / "000.png")
        Image.new("RGB", (80, 64), (level, 0, 255)).save(tmp_path / part / "001.png")
    kernels = np.zeros((2, 64, 64), np.float16)
    kernels[0, 32, 32] = kernels[1, 32, 33] = 1
    np.save(tmp_path / "kernels.npy", kernels)
    return tmp_path


def test_pairs_are_colour_floats_with_their_kernels(folder: Path) -> None:
    dataset = load_dataset(folder)
    first, second = dataset
    assert len(dataset) == 2
    assert (dataset.name, dataset.path, dataset.names) == (str(folder), folder, ("000.png", "001.png"))
    assert (first.name, second.name) == dataset.names
    assert first.kernel is not None
    assert second.kernel is not None
    assert first.sharp.dtype == first.blurred.dtype == first.kernel.dtype == np.float32
    np.testing.assert_allclose(first.sharp, np.full((64, 80, 3), 0.2), rtol=1e-6)
    np.testing.assert_allclose(second.blurred[5, 5], [0.4, 0, 1], rtol=1e-6)
    assert first.kernel[32, 32] == second.kernel[32, 33] == 1


def test_a_missing_folder_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="none is no folder"):
        load_dataset(folder / "none")
    with pytest.raises(UsageError, match="has no folder sharp/"):
        load_dataset(folder / "sharp")


def test_an_empty_folder_is_named(folder: Path) -> None:
    for path in (folder / "sharp").iterdir():
        path.unlink()
    with pytest.raises(UsageError, match="sharp holds no photo"):
        load_dataset(folder)


@pytest.mark.parametrize("part", ["sharp", "blurred"])
def test_a_missing_picture_is_named(folder: Path, part: str) -> None:
    (folder / part / "001.png").unlink()
    with pytest.raises(UsageError, match=rf"has no {part}/001\.png"):
        load_dataset(folder)


def test_kernels_that_are_missing_or_do_not_fit(folder: Path) -> None:
    np.save(folder / "kernels.npy", np.zeros((3, 64, 64)))
    with pytest.raises(UsageError, match="is 3x64x64: the 2 pictures need 2x64x64"):
        load_dataset(folder)
    (folder / "kernels.npy").write_bytes(b"no array")
    with pytest.raises(KdError, match=r"kernels\.npy is damaged"):
        load_dataset(folder)


def test_pairs_without_kernels(folder: Path) -> None:
    (folder / "kernels.npy").unlink()
    assert [pair.kernel for pair in load_dataset(folder)] == [None, None]
    (folder / "synth.json").touch()  # kd made this set, kernels and all
    with pytest.raises(UsageError, match=r"has no kernels\.npy"):
        load_dataset(folder)


def test_pictures_may_be_of_any_kind_and_their_names_count(folder: Path) -> None:
    (folder / "kernels.npy").unlink()
    for part in ("sharp", "blurred"):
        Image.new("RGB", (80, 64), 51).save(folder / part / "002.JPG")
        (folder / part / "notes.txt").touch()
    assert load_dataset(folder).names == ("000.png", "001.png", "002.JPG")
    assert load_dataset(folder)[2].blurred.shape == (64, 80, 3)
    (folder / "blurred" / "002.JPG").rename(folder / "blurred" / "002.png")
    with pytest.raises(UsageError, match=r"has no blurred/002\.JPG"):
        load_dataset(folder)


def test_pictures_that_differ_in_size(folder: Path) -> None:
    Image.new("RGB", (80, 65)).save(folder / "blurred" / "001.png")
    dataset = load_dataset(folder)
    assert dataset[0].name == "000.png"
    with pytest.raises(KdError, match=r"sharp/001\.png and blurred/001\.png differ in size"):
        dataset[1]
