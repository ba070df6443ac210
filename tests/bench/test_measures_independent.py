"""The measures against other implementations, and against whole runs worked out by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.signal import convolve2d, correlate2d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kdcli.bench import bench as module
from kdcli.bench import measures
from kdcli.bench.answer import Answer
from kdcli.bench.bench import Bench, BenchConfig
from kdcli.bench.dataset import Pair
from kdcli.bench.datasets import open_dataset
from kdcli.bench.run import run_bench
from kdcli.blur.families import sample
from kdcli.cli import run
from kdcli.engine.options import PRESETS
from kdcli.nets.judge import Judge
from kdcli.weights import Models
from tests.bench.test_measures import photo


def ssim_by_hand(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, eq. 13, with flat 7x7 windows and unbiased variances, of one channel."""
    mean = lambda image: uniform_filter(image, 7)[3:-3, 3:-3]  # noqa: E731
    unbiased = 49 / 48
    mx, my = mean(x), mean(y)
    vx, vy = unbiased * (mean(x * x) - mx * mx), unbiased * (mean(y * y) - my * my)
    both = unbiased * (mean(x * y) - mx * my)
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mx * my + c1) * (2 * both + c2)
    return float((top / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def test_psnr_and_ssim_are_scikit_images_and_those_of_the_papers() -> None:
    sharp = photo(0).astype(np.float64)
    restored = np.clip(gaussian_filter(sharp, (1, 1, 0)) + 0.02, 0, 1)
    psnr, ssim = measures.psnr(restored, sharp), measures.ssim(restored, sharp)
    assert psnr == pytest.approx(peak_signal_noise_ratio(sharp, restored, data_range=1), abs=1e-9)
    theirs = structural_similarity(sharp, restored, data_range=1, channel_axis=-1)
    assert ssim == pytest.approx(theirs, abs=1e-9)
    assert psnr == pytest.approx(-10 * np.log10(np.square(restored - sharp).mean()), abs=1e-9)
    by_hand = [ssim_by_hand(restored[..., c], sharp[..., c]) for c in range(3)]
    assert ssim == pytest.approx(np.mean(by_hand), abs=1e-9)


def test_mnc_is_that_of_a_direct_correlation() -> None:
    kernels = sample("mixed", 4, np.random.default_rng(5)).astype(np.float64)
    for a, b in zip(kernels, (*kernels[1:], np.roll(kernels[0], (9, -7), (0, 1))), strict=True):
        direct = correlate2d(a, b, mode="full").max() / np.sqrt(np.square(a).sum() * np.square(b).sum())
        assert measures.mnc(a.astype(np.float32), b.astype(np.float32)) == pytest.approx(direct, abs=1e-4)


@pytest.mark.parametrize("move", [(0, 0), (3, -2), (-11, 16)])
def test_the_aligned_psnr_of_a_shifted_and_brighter_photo(move: tuple[int, int]) -> None:
    sharp = 0.1 + 0.7 * photo()
    brighter = np.roll(sharp + 0.05, move, (0, 1))
    # What is gained by the last sixteenth of a pixel is less than a hundredth of a dB.
    assert measures.psnr(*measures.align(brighter, sharp)) == pytest.approx(-20 * np.log10(0.05), abs=0.01)
    restored, wanted = measures.align(brighter, sharp)
    by_hand = [ssim_by_hand(restored[..., c].astype(float), wanted[..., c].astype(float)) for c in range(3)]
    assert measures.ssim(restored, wanted) == pytest.approx(np.mean(by_hand), abs=1e-5)


# A whole run over one photo of 256x256 whose networks are played: the solver gives the photo back.

TRUE = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])
ESTIMATED = np.full((3, 3), 1 / 9)


def canvas(kernel: np.ndarray) -> np.ndarray:
    """An odd kernel with its middle at the origin of ours."""
    placed = np.zeros((64, 64), np.float32)
    placed[31:34, 31:34] = kernel
    return placed


def each_channel(image: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.stack([function(image[..., c]) for c in range(3)], -1)


class One:
    """A data set of a single pair."""

    name, names, path = "one", ("a.png",), Path()
    sharp = photo(3, 256, 256)
    blurred = each_channel(sharp, partial(convolve2d, in2=TRUE, mode="same", boundary="symm"))

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Pair:
        return Pair("a.png", self.sharp, self.blurred.astype(np.float32), canvas(TRUE))


class Copy(torch.nn.Module):
    """A solver that gives back what it gets."""

    def forward(self, y: torch.Tensor, kernel: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return y


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The scores of a method that halves the error of the blurred photo and has the wrong kernel."""
    one = One()
    half = ((one.sharp + one.blurred) / 2).astype(np.float32)
    answer = Answer(half, canvas(ESTIMATED), {"estimate": 0.25, "restore": 0.5})
    monkeypatch.setattr(module, "make_method", lambda *_: lambda pair: answer)
    models = Models(torch.nn.Module(), Copy(), Judge(), torch.device("cpu"), "played")  # type: ignore[arg-type]
    monkeypatch.setattr(module, "load_models", lambda *_: models)
    bench = Bench(one, BenchConfig(("half",), PRESETS["fast"]))  # type: ignore[arg-type]
    scores = bench.measure([(0, 0)])[0]
    assert "error" not in scores
    return scores


def test_the_error_ratio_by_hand(judged: dict[str, Any]) -> None:
    # With the true kernel the solver gives the blurred photo; half of its error is a quarter of its square.
    assert judged["error_ratio"] == pytest.approx(0.25, rel=1e-4)


def test_the_reblurring_loss_by_hand(judged: dict[str, Any]) -> None:
    y = One.blurred
    inner = y[31:-32, 31:-32]  # where all of a 64x64 neighbourhood is known
    for name, kernel in (("reblur_loss", ESTIMATED), ("reblur_loss_true", TRUE)):
        again = each_channel(y, partial(convolve2d, in2=kernel, mode="same"))
        loss = np.square(again[31:-32, 31:-32] - inner).mean()
        assert judged[name] == pytest.approx(loss, rel=1e-3)


def test_the_other_measures_of_that_photo(judged: dict[str, Any]) -> None:
    error = np.square(One.sharp - One.blurred).mean()
    assert judged["psnr_input"] == pytest.approx(-10 * np.log10(error), abs=1e-3)
    assert judged["psnr"] == pytest.approx(-10 * np.log10(error / 4), abs=1e-3)
    direct = correlate2d(TRUE, ESTIMATED).max() / np.sqrt(np.square(TRUE).sum() * np.square(ESTIMATED).sum())
    assert judged["mnc"] == pytest.approx(direct, abs=1e-4)
    assert (judged["seconds_estimate"], judged["seconds_restore"]) == (0.25, 0.5)
    assert judged["seconds"] > 0


def test_success_rates_count_error_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    ratios = {"a": 1.0, "b": 2.0, "c": 2.5, "d": 3.01}
    monkeypatch.setattr(module, "make_method", lambda *_: None)
    monkeypatch.setattr(
        Bench,
        "measure",
        lambda self, tasks: [
            {"name": name, "psnr": 20.0, "psnr_input": 19.0, "error_ratio": ratios[name]}
            for name in (self.dataset.names[image] for _, image in tasks)
        ],
    )

    class Four(One):
        names = tuple(ratios)

        def __len__(self) -> int:
            return 4

    mean = run_bench(Four(), BenchConfig(("kd",), PRESETS["fast"]))["mean"]  # type: ignore[arg-type]
    assert mean["error_ratio"] == pytest.approx(8.51 / 4)
    assert (mean["success_2"], mean["success_3"]) == (0.5, 0.75)


def test_a_run_agrees_with_scikit_image_on_the_files_it_showed(tmp_path: Path) -> None:
    keep = "import shutil, sys; shutil.copy(*sys.argv[1:3]); shutil.copy(sys.argv[1], sys.argv[3])"
    kept = tmp_path / "kept.png"
    command = f"cmd:'{sys.executable}' -c '{keep}' {{input}} {{output}} {kept}"
    words = ["bench", "--dataset", "demo", "--limit", "1", "--quiet", "--method", command]
    assert run([*words, "--json", str(tmp_path / "r.json")]) == 0
    (scores,) = json.loads((tmp_path / "r.json").read_text())["images"]
    blurred = np.asarray(Image.open(kept)) / 255
    sharp = open_dataset("demo")[0].sharp.astype(np.float64)
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(sharp, blurred, data_range=1), abs=1e-3)
    ssim = structural_similarity(sharp, blurred, data_range=1, channel_axis=-1)
    assert scores["ssim"] == pytest.approx(ssim, abs=1e-3)
