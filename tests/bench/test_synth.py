"""Data-set folders as `kd synth` makes them, read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kdcli import __version__
from kdcli.bench import synth
from kdcli.bench.dataset import load_dataset
from kdcli.blur.convolve import convolve
from kdcli.errors import KdError, UsageError

CLEAN: dict[str, Any] = {"count": 4, "kernels": "mixed", "noise": 0.0, "jpeg": None, "seed": 0}


@pytest.fixture
def make(photos: Path, tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a data set and returns its folder."""

    def synthesise(name: str = "set", folder: Path = photos, **settings: Any) -> Path:
        synth.synthesise(folder, tmp_path / name, **{**CLEAN, **settings})
        return tmp_path / name

    return synthesise


def reblurred(sharp: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(sharp).permute(2, 0, 1)[None]
    return convolve(x, torch.from_numpy(kernel)[None, None])[0].permute(1, 2, 0).numpy()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_clean_pairs_are_blurred_and_rounded_and_nothing_else(make: Callable[..., Path]) -> None:
    seen: list[tuple[str, float]] = []
    folder = make(progress=lambda stage, part: seen.append((stage, part)))
    dataset = load_dataset(folder)
    assert dataset.names == ("000.png", "001.png", "002.png", "003.png")
    assert seen == [("synth", 0.25), ("synth", 0.5), ("synth", 0.75), ("synth", 1.0)]
    for pair in dataset:
        assert pair.sharp.shape == pair.blurred.shape == (256, 256, 3)
        assert np.abs(reblurred(pair.sharp, pair.kernel) - pair.blurred).max() < 0.501 / 255
    stored = np.load(folder / "kernels.npy")
    assert stored.dtype == np.float32
    np.testing.assert_allclose(stored.sum((1, 2)), 1, atol=1e-5)


def test_sharp_pictures_are_crops_of_the_photos(make: Callable[..., Path], photos: Path) -> None:
    folder = make(count=9)
    facts = json.loads((folder / "synth.json").read_text())
    assert {k: facts[k] for k in CLEAN} == {**CLEAN, "count": 9}
    assert facts["version"] == __version__
    assert facts["photos"] == str(photos)
    used = set()
    for pair in facts["pairs"]:
        with Image.open(photos / pair["photo"]) as photo:
            box = (pair["left"], pair["top"], pair["left"] + 256, pair["top"] + 256)
            wanted = np.asarray(photo.convert("RGB").crop(box))
        np.testing.assert_array_equal(np.asarray(Image.open(folder / "sharp" / pair["name"])), wanted)
        used.add(pair["photo"])
    assert used == {"colour.png", "grey.jpg", "least.PNG"}


def test_noise_has_the_strength_asked_for(make: Callable[..., Path]) -> None:
    for pair in load_dataset(make(noise=0.03, count=2)):
        error = pair.blurred - reblurred(pair.sharp, pair.kernel)
        middle = (pair.blurred > 0.2) & (pair.blurred < 0.8)
        assert error[middle].std() == pytest.approx(0.03, rel=0.05)
        assert abs(error[middle].mean()) < 0.002


def test_jpeg_is_a_real_round_trip(make: Callable[..., Path], tmp_path: Path) -> None:
    clean, packed = load_dataset(make()), load_dataset(make("packed", jpeg=30))
    for before, after in zip(clean, packed, strict=True):
        np.testing.assert_array_equal(before.sharp, after.sharp)
        np.testing.assert_array_equal(before.kernel, after.kernel)
        Image.open(clean.path / "blurred" / before.name).save(tmp_path / "round.jpg", quality=30)
        wanted = np.asarray(Image.open(tmp_path / "round.jpg"))
        np.testing.assert_array_equal(np.rint(after.blurred * 255), wanted)


def test_the_same_seed_and_photos_give_the_same_files(
    make: Callable[..., Path], photos: Path, tmp_path: Path
) -> None:
    settings = {"noise": 0.01, "jpeg": 80}
    first = contents(make(**settings))
    assert contents(make("again", **settings)) == first
    other = contents(make("other", **settings, seed=1))
    assert all(other[name] != data for name, data in first.items())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in sorted(photos.iterdir(), reverse=True):
        shutil.copy(path, elsewhere)
    moved = contents(make("moved", folder=elsewhere, **settings))
    assert {n: d for n, d in moved.items() if n != "synth.json"} == {
        n: d for n, d in first.items() if n != "synth.json"
    }


def test_more_than_a_thousand_pairs_still_sort(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setattr(synth, "random_crop", lambda *_: (picture, (0, 0)))
    monkeypatch.setattr(synth, "blur", lambda sharp, _: sharp)
    monkeypatch.setattr(Image.Image, "save", lambda self, path: Path(path).touch())
    folder = make(count=1001, kernels="identity")
    names = sorted(p.name for p in (folder / "sharp").iterdir())
    assert names[0] == "0000.png"
    assert names[-1] == "1000.png"
    assert np.load(folder / "kernels.npy").shape == (1001, 64, 64)


def test_an_empty_folder_may_be_filled_and_a_full_one_not(make: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    before = contents(make(count=1))
    with pytest.raises(UsageError, match="not empty"):
        make(seed=3)
    assert contents(tmp_path / "set") == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, KdError, OSError])
def test_a_run_that_breaks_leaves_nothing(
    make: Callable[..., Path], tmp_path: Path, error: type[BaseException]
) -> None:
    def progress(stage: str, part: float) -> None:
        if part > 0.4:
            raise error("stop")

    with pytest.raises(KdError if error is OSError else error, match="stop"):
        make(progress=progress)
    assert list(tmp_path.iterdir()) == []


def test_folders_without_a_usable_photo(make: Callable[..., Path], tmp_path: Path, photos: Path) -> None:
    poor = tmp_path / "poor"
    poor.mkdir()
    with pytest.raises(UsageError, match="no photo of at least 256x256"):
        make(folder=poor)
    shutil.copy(photos / "low.png", poor)
    with pytest.raises(UsageError, match="no photo of at least 256x256"):
        make(folder=poor)
    with pytest.raises(UsageError, match="No such file"):
        make(folder=tmp_path / "none")
    (poor / "broken.jpg").write_text("no photo")
    with pytest.raises(KdError, match=r"broken\.jpg: not a photo"):
        make(folder=poor)
    assert list(tmp_path.iterdir()) == [poor]


def test_an_unknown_family_is_named(make: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="zigzag: choose one of motion"):
        make(kernels="zigzag")
