"""The door to data sets: names, folders, the data folder, and options that make any set harder."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdcli.bench import synth
from kdcli.bench.dataset import Dataset
from kdcli.bench.datasets import NAMED, open_dataset
from kdcli.blur.convolve import convolve
from kdcli.errors import UsageError


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KD_DATA", raising=False)


def reblurred(sharp: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(sharp).permute(2, 0, 1)[None]
    return convolve(x, torch.from_numpy(kernel)[None, None])[0].permute(1, 2, 0).numpy()


def test_the_demo_is_always_there() -> None:
    demo = open_dataset("demo")
    assert (len(demo), len(set(demo.names)), demo.name) == (8, 8, "demo")
    first, last, again = demo[0], demo[7], demo[0]
    for pair in (first, last):
        assert pair.sharp.shape == pair.blurred.shape == (256, 256, 3)
        assert pair.sharp.dtype == pair.blurred.dtype == np.float32
        assert pair.kernel is not None
        assert pair.kernel.sum() == pytest.approx(1, abs=1e-5)
        assert np.abs(reblurred(pair.sharp, pair.kernel) - pair.blurred).max() < 0.501 / 255
        np.testing.assert_allclose(pair.blurred * 255, np.rint(pair.blurred * 255), atol=1e-4)
    np.testing.assert_array_equal(first.blurred, again.blurred)
    with pytest.raises(IndexError):
        demo[8]


def test_two_pairs_of_a_photo_differ() -> None:
    first, second = (open_dataset("demo")[i] for i in range(2))
    assert not np.array_equal(first.sharp, second.sharp)
    assert not np.array_equal(first.kernel, second.kernel)  # type: ignore[arg-type]


def test_sets_go_to_other_processes() -> None:
    dataset = open_dataset("demo", noise=0.01)
    sent: Dataset = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(sent[3].blurred, dataset[3].blurred)


def test_folders_are_opened_by_path(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    synth.synthesise(photos, folder, count=2, kernels="motion", noise=0.0, jpeg=None, seed=0)
    dataset = open_dataset(str(folder))
    assert (dataset.name, dataset.names) == (str(folder), ("000.png", "001.png"))
    with pytest.raises(UsageError, match="is no folder"):
        open_dataset(str(tmp_path / "none"))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=f"no data set 'bsd1000': choose one of {', '.join(NAMED)}, or"):
        open_dataset("bsd1000")


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        ("levin", "webee.technion.ac.il/people/anat.levin"),
        ("kohler", "webdav.tuebingen.mpg.de/pixel/benchmark4camerashake"),
        ("realblur-j", "cg.postech.ac.kr/research/realblur"),
    ],
)
def test_a_missing_set_says_where_it_is_offered(name: str, offer: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{name} is not here: .*--data-dir or KD_DATA; .*{offer}"):
        open_dataset(name)
    with pytest.raises(UsageError, match=f"{tmp_path} has no folder .*/: get {name} from .*{offer}"):
        open_dataset(name, data_dir=tmp_path)
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match=f"{name} lacks .*: get {name} again from .*{offer}"):
        open_dataset(name, data_dir=tmp_path)


def test_the_data_folder_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=f"{tmp_path} has no folder levin/"):
        open_dataset("levin")
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="other has no folder levin/"):
        open_dataset("levin", data_dir=tmp_path / "other")
    monkeypatch.setenv("KD_DATA", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"KD_DATA .*none is no folder"):
        open_dataset("levin")
    with pytest.raises(UsageError, match=r"--data-dir .*gone is no folder"):
        open_dataset("levin", data_dir=tmp_path / "gone")


def test_nothing_asked_for_changes_nothing() -> None:
    assert open_dataset("demo", seed=5).name == "demo"
    np.testing.assert_array_equal(open_dataset("demo", seed=5)[1].blurred, open_dataset("demo")[1].blurred)


def test_other_kernels_blur_the_sharp_photos_anew() -> None:
    before, after = open_dataset("demo")[2], open_dataset("demo", kernels="shake")[2]
    np.testing.assert_array_equal(before.sharp, after.sharp)
    assert after.kernel is not None
    assert not np.array_equal(before.kernel, after.kernel)  # type: ignore[arg-type]
    assert np.abs(reblurred(after.sharp, after.kernel) - after.blurred).max() < 0.501 / 255
    plain = open_dataset("demo", kernels="identity")[2]
    np.testing.assert_array_equal(plain.blurred, plain.sharp)


def test_noise_has_the_strength_asked_for_whatever_the_brightness() -> None:
    clean, noisy = open_dataset("demo"), open_dataset("demo", noise=0.03)
    for before, after in ((clean[i], noisy[i]) for i in (0, 4)):
        for low, high in ((0.15, 0.35), (0.4, 0.6), (0.65, 0.85)):
            there = (before.blurred > low) & (before.blurred < high)
            assert (after.blurred - before.blurred)[there].std() == pytest.approx(0.03, rel=0.06)
        np.testing.assert_array_equal(before.kernel, after.kernel)  # type: ignore[arg-type]


def test_every_pair_has_noise_of_its_own_and_the_seed_decides() -> None:
    def grain(index: int, seed: int) -> np.ndarray:
        kernels = {"kernels": "identity", "seed": seed}  # the same photo before the noise
        noisy = open_dataset("demo", noise=0.02, **kernels)[index]  # type: ignore[arg-type]
        inside = (noisy.sharp > 0.1) & (noisy.sharp < 0.9)  # where nothing is clipped
        return np.where(inside, noisy.blurred - noisy.sharp, 0)

    np.testing.assert_array_equal(grain(1, 0), grain(1, 0))
    for other in (grain(0, 0), grain(1, 1)):
        assert abs(np.corrcoef(grain(1, 0).ravel(), other.ravel())[0, 1]) < 0.02


def test_jpeg_is_a_real_file_read_again() -> None:
    clean, packed = (open_dataset("demo", jpeg=quality)[0].blurred for quality in (None, 60))
    file = io.BytesIO()
    Image.fromarray(np.rint(clean * 255).astype(np.uint8)).save(file, "JPEG", quality=60)
    np.testing.assert_array_equal(np.rint(packed * 255), Image.open(file))


def test_the_name_says_what_was_done() -> None:
    assert open_dataset("demo", noise=0.01, jpeg=80, kernels="motion").name == (
        "demo (motion kernels, noise 0.01, JPEG 80)"
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [("noise", -0.1), ("noise", float("nan")), ("jpeg", 0), ("jpeg", 101), ("kernels", "zigzag")],
)
def test_options_that_make_no_sense(option: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"--{option} {value}: "):
        open_dataset("demo", **{option: value})  # type: ignore[arg-type]
