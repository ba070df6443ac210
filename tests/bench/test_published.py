"""Published sets in their publishers' layouts: small stand-ins, and Levin's own files where they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from kdcli.bench.datasets import open_dataset
from kdcli.bench.measures import mnc
from kdcli.blur.convolve import convolve
from kdcli.errors import KdError, UsageError
from kdcli.files.psf import to_kernel
from tests.bench.conftest import waves

DATA = Path(os.environ.get("KD_DATA") or Path(__file__).parents[3] / "shared" / "data")


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def path_kernel(k: int) -> np.ndarray:
    """A hook (13, 13) in grey levels, heavier at one end; another for every k."""
    kernel = np.zeros((13, 13))
    kernel[1:11, 6 - k % 3] = np.linspace(40, 255, 10)
    kernel[10, 6 : 8 + k % 4] = 90
    return np.rint(np.rot90(kernel, k % 4))


@pytest.fixture
def levin(tmp_path: Path) -> Path:
    """A stand-in whose kernels 3 and 6 are stored turned."""
    folder = tmp_path / "levin"
    for k in range(1, 9):
        kernel = path_kernel(k)
        save(folder / f"kernel{k}.png", kernel[::-1, ::-1] if k in (3, 6) else kernel)
        blur = torch.from_numpy(to_kernel(kernel))[None, None]
        for i in range(1, 5):
            sharp = np.random.default_rng(i).integers(0, 256, (96, 100)).astype(np.float32)
            save(folder / f"im{i}.png", sharp)
            moved = np.roll(convolve(torch.from_numpy(sharp)[None, None], blur)[0, 0], (i - 2, 2), (0, 1))
            save(folder / f"im{i}_kernel{k}_img.png", np.rint(moved))
    return folder


def test_levin_turns_kernels_the_way_round_that_fits_the_photos(levin: Path) -> None:
    dataset = open_dataset("levin", data_dir=levin.parent)
    assert len(dataset) == 32
    assert dataset.names[:9] == (*(f"im1_kernel{k}_img.png" for k in range(1, 9)), "im2_kernel1_img.png")
    for index in range(8):
        kernel = dataset[index].kernel
        assert kernel is not None
        assert kernel.shape == (64, 64)
        np.testing.assert_allclose(kernel, to_kernel(path_kernel(index + 1)), atol=1e-6)
    pair = dataset[9]
    assert pair.sharp.shape == pair.blurred.shape == (96, 100, 3)
    np.testing.assert_array_equal(np.rint(pair.sharp[..., 1] * 255), Image.open(levin / "im2.png"))
    np.testing.assert_array_equal(
        np.rint(pair.blurred[..., 2] * 255), Image.open(levin / "im2_kernel2_img.png")
    )


def test_levin_names_what_is_missing_or_damaged(levin: Path) -> None:
    (levin / "im3_kernel5_img.png").unlink()
    with pytest.raises(UsageError, match=r"lacks im3_kernel5_img\.png: get levin again"):
        open_dataset("levin", data_dir=levin.parent)
    save(levin / "im3_kernel5_img.png", np.zeros((96, 99)))
    with pytest.raises(KdError, match="photo 3 and its shot 5 do not fit"):
        open_dataset("levin", data_dir=levin.parent)
    for k in range(1, 5):
        (levin / f"kernel{k}.png").unlink()
    with pytest.raises(UsageError, match=r"lacks kernel1\.png, kernel2\.png, kernel3\.png and 1 more"):
        open_dataset("levin", data_dir=levin.parent)


def test_levin_in_the_publishers_own_files(levin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "levin"
    folder.mkdir(parents=True)
    for i in range(1, 5):
        for k in range(1, 9):
            x, y, f = (
                np.asarray(Image.open(levin / name)) / 255
                for name in (f"im{i}.png", f"im{i}_kernel{k}_img.png", f"kernel{k}.png")
            )
            savemat(folder / f"im{i + 4:02}_flit{k:02}.mat", {"x": x, "y": y, "f": f / f.sum()})
    own, pictures = (open_dataset("levin", data_dir=path.parent) for path in (folder, levin))
    assert own.names == pictures.names
    for index in (0, 2, 31):
        a, b = own[index], pictures[index]
        for ours, theirs in ((a.sharp, b.sharp), (a.blurred, b.blurred), (a.kernel, b.kernel)):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)  # type: ignore[arg-type]
    (folder / "im06_flit03.mat").write_bytes(b"no matrix")
    with pytest.raises(KdError, match=r"im06_flit03\.mat is damaged"):
        open_dataset("levin", data_dir=folder.parent)
    (folder / "im06_flit03.mat").unlink()
    with pytest.raises(UsageError, match=r"lacks im06_flit03\.mat: get levin again"):
        open_dataset("levin", data_dir=folder.parent)


@pytest.mark.skipif(not (DATA / "levin").is_dir(), reason="Levin's files are not here")
def test_levins_own_kernels_explain_the_photos() -> None:
    """In this copy six kernels are turned, and each pair is explained better by its kernel than turned."""
    dataset = open_dataset("levin", data_dir=DATA)
    stored = [np.asarray(Image.open(DATA / "levin" / f"kernel{k}.png"), np.float32) for k in range(1, 9)]
    as_it_is = [mnc(to_kernel(raw), dataset[k].kernel) > 0.999 for k, raw in enumerate(stored)]  # type: ignore[arg-type]
    assert as_it_is == [k in (4, 8) for k in range(1, 9)]
    for index in (3, 5, 6, 7, 31):  # the least symmetric ones
        pair = dataset[index]
        assert pair.kernel is not None
        errors = []
        for kernel in (pair.kernel, np.roll(pair.kernel[::-1, ::-1], (1, 1), (0, 1))):
            blurred = reblurred(pair.sharp[..., 0], kernel)
            errors.append(least_error(blurred, pair.blurred[..., 0]))
        assert errors[0] < 0.015
        assert errors[1] > 1.5 * errors[0]


def reblurred(sharp: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    x, k = (torch.from_numpy(np.ascontiguousarray(a))[None, None] for a in (sharp, kernel))
    return np.asarray(convolve(x, k)[0, 0])


def least_error(image: np.ndarray, target: np.ndarray) -> float:
    """RMS difference inside the borders, for the best whole-pixel shift."""
    shifts = [(r, c) for r in range(-10, 11) for c in range(-10, 11)]
    inner = (slice(48, -48), slice(48, -48))
    moved = (np.roll(image, shift, (0, 1))[inner] for shift in shifts)
    return min(float(np.sqrt(np.square(m - target[inner]).mean())) for m in moved)


@pytest.fixture
def kohler(tmp_path: Path) -> Path:
    """The archives unpacked side by side, three sharp frames a shake, or a single one."""
    folder = tmp_path / "kohler"
    for i in range(1, 5):
        for k in range(1, 13):
            save(folder / "BlurryImages" / f"Blurry{i}_{k}.png", np.full((20, 24, 3), 10 * i + k))
            shake = folder / f"GroundTruth_pngs_Image{i}" / f"Image{i}" / f"Kernel{k}"
            for f in (9, 10, 11):
                save(shake / f"GroundTruth{i}_{k}_{f}.png", np.full((20, 24, 3), 20 * f + k))
    return folder


def test_kohler_takes_the_middle_frame(kohler: Path) -> None:
    dataset = open_dataset("kohler", data_dir=kohler.parent)
    assert len(dataset) == 48
    assert dataset.names[11:13] == ("Blurry1_12.png", "Blurry2_1.png")
    pair = dataset[13]
    assert pair.kernel is None
    assert (pair.name, round(255 * pair.blurred.max()), round(255 * pair.sharp.max())) == (
        "Blurry2_2.png",
        22,
        202,
    )


def test_kohler_takes_a_single_sharp_photo_too(kohler: Path) -> None:
    for path in kohler.rglob("GroundTruth*_*_*.png"):
        if path.stem.endswith("_10"):
            path.rename(path.with_name(f"{path.stem.removesuffix('_10')}.png"))
        else:
            path.unlink()
    pair = open_dataset("kohler", data_dir=kohler.parent)[13]
    assert round(255 * pair.sharp.max()) == 202


def test_kohler_names_what_is_missing(kohler: Path) -> None:
    (kohler / "BlurryImages" / "Blurry3_7.png").unlink()
    for path in kohler.rglob("GroundTruth4_12_*.png"):
        path.unlink()
    with pytest.raises(UsageError, match=r"lacks Blurry3_7\.png, GroundTruth4_12_\*\.png: get kohler"):
        open_dataset("kohler", data_dir=kohler.parent)


@pytest.fixture
def realblur(tmp_path: Path) -> Path:
    folder, lines = tmp_path / "RealBlur", []
    for scene, n in ((1, 1), (1, 2), (230, 1)):
        scene_path = f"RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene{scene:03}"
        sharp, blurred = f"{scene_path}/gt/gt_{n}.png", f"{scene_path}/blur/blur_{n}.png"
        save(folder / sharp, waves(n, 40, 44))
        save(folder / blurred, waves(scene, 40, 44) // 2)
        lines.append(f"{sharp} {blurred} ")
    (folder / "RealBlur_J_test_list.txt").write_text("\n".join(lines) + "\n\n")
    return folder


def test_realblur_follows_its_list(realblur: Path) -> None:
    dataset = open_dataset("realblur-j", data_dir=realblur.parent)
    assert dataset.names == ("scene001_blur_1.png", "scene001_blur_2.png", "scene230_blur_1.png")
    pair = dataset[1]
    assert pair.kernel is None
    np.testing.assert_array_equal(np.rint(pair.sharp * 255), waves(2, 40, 44))
    np.testing.assert_array_equal(np.rint(pair.blurred * 255), waves(1, 40, 44) // 2)


def test_realblur_names_what_is_missing_or_damaged(realblur: Path) -> None:
    gone = next(realblur.rglob("blur_2.png"))
    gone.unlink()
    with pytest.raises(UsageError, match=f"lacks .*{gone.name}: get realblur-j again"):
        open_dataset("realblur-j", data_dir=realblur.parent)
    path = realblur / "RealBlur_J_test_list.txt"
    path.write_text("one\n")
    with pytest.raises(KdError, match="each line has to name a sharp and a blurred file"):
        open_dataset("realblur-j", data_dir=realblur.parent)
    path.unlink()
    with pytest.raises(UsageError, match=r"lacks RealBlur_J_test_list\.txt"):
        open_dataset("realblur-j", data_dir=realblur.parent)


def test_a_set_without_kernels_gets_some(realblur: Path) -> None:
    pair = open_dataset("realblur-j", data_dir=realblur.parent, kernels="linear")[0]
    assert pair.kernel is not None
    assert np.abs(reblurred(pair.sharp[..., 0], pair.kernel) - pair.blurred[..., 0]).max() < 0.501 / 255
