"""Kernel generators: what all promise, what each draws, and whether ours draws what the paper's drew."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from scipy.stats import ks_2samp

from kdcli.blur import handheld
from kdcli.blur.families import FAMILIES, sample
from kdcli.blur.names import FamilyName
from kdcli.blur.shake import shake_trajectories

FACTS = ("support", "entropy", "peak", "radius")


def facts(kernels: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics (N,) of kernels: pixels in use, entropy, largest value, root mean square radius."""
    k = kernels.astype(np.float64)
    k /= k.sum((1, 2), keepdims=True)
    peak = k.max((1, 2))
    place = np.arange(64)
    row, column = (k.sum(2) @ place)[:, None, None], (k.sum(1) @ place)[:, None, None]
    squared = (place[None, :, None] - row) ** 2 + (place[None, None] - column) ** 2
    return {
        "support": (k > 0.05 * peak[:, None, None]).sum((1, 2)),
        "entropy": -(k * np.log(np.maximum(k, 1e-12))).sum((1, 2)),
        "peak": peak,
        "radius": np.sqrt((k * squared).sum((1, 2))),
    }


def test_the_command_line_offers_every_family() -> None:
    assert get_args(FamilyName) == tuple(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kernel_is_one(family: str) -> None:
    kernels = sample(family, 40, np.random.default_rng(0))
    assert kernels.shape == (40, 64, 64)
    assert kernels.dtype == np.float32
    assert kernels.min() >= 0
    np.testing.assert_allclose(kernels.sum((1, 2)), 1, atol=1e-5)
    place = np.arange(64)
    off = np.maximum(*(np.abs(kernels.sum(axis) @ place - 32) for axis in (1, 2)))
    rim = np.maximum(kernels[:, [0, -1]].max((1, 2)), kernels[:, :, [0, -1]].max((1, 2)))
    whole = rim < 0.001 * kernels.max((1, 2))  # nothing left the canvas
    assert whole.sum() > 25
    assert off[whole].max() < 0.501
    assert off.max() < 2
    assert sample(family, 0, np.random.default_rng(0)).shape == (0, 64, 64)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_gives_its_kernels_and_no_others(family: str) -> None:
    first, again, other = (sample(family, 6, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert family == "identity" or not np.array_equal(first, other)


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ValueError, match=r"'zigzag'.*motion"):
        sample("zigzag", 1, np.random.default_rng(0))


@pytest.mark.parametrize("fact", FACTS)
def test_motion_matches_the_papers_generator(fact: str, data: Path) -> None:
    reference = np.load(data / "reference_kernels" / "motionblur_64.npz")["kernels"]
    ours = sample("motion", 600, np.random.default_rng(7))
    assert ks_2samp(facts(ours)[fact], facts(reference)[fact]).pvalue > 0.01
    # The same test tells another family apart.
    shake = sample("shake", 300, np.random.default_rng(7))
    assert ks_2samp(facts(shake)[fact], facts(reference)[fact]).pvalue < 1e-6


def test_straight_motion_is_straight() -> None:
    place = np.arange(64) - 32.0
    y, x = np.meshgrid(place, place, indexing="ij")
    for kernel in sample("linear", 20, np.random.default_rng(1)):
        spread = np.cov(np.stack([y.ravel(), x.ravel()]), aweights=kernel.ravel(), ddof=0)
        across, along = np.linalg.eigvalsh(spread)
        assert across < 0.3  # a line of width 1, spread over its pixels
        assert 2 - 0.5 < np.sqrt(12 * along) < 50 + 1.5


def test_defocus_is_a_flat_disc() -> None:
    for kernel in sample("defocus", 20, np.random.default_rng(2)):
        area = 1 / kernel.max()
        radius = np.sqrt(area / np.pi)
        assert 0.5 < radius < 10.5
        assert facts(kernel[None])["radius"][0] == pytest.approx(np.sqrt(area / (2 * np.pi)), abs=0.35)


def test_mixed_holds_every_family_in_its_share() -> None:
    kernels = sample("mixed", 600, np.random.default_rng(3))
    identity = (kernels[:, 32, 32] == 1).mean()
    assert 0.005 < identity < 0.04
    assert kernels[:300, 32, 32].max() == kernels[300:, 32, 32].max() == 1  # shuffled, not in blocks


def test_shake_is_a_walk_of_constant_speed() -> None:
    place = shake_trajectories(5, np.random.default_rng(4))
    np.testing.assert_allclose(np.abs(np.diff(place, axis=1)).sum(1), 1, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.diff(place, axis=1)), 1 / 999, rtol=1e-9)


def unevenness(kernels: np.ndarray) -> float:
    """Of the light that the pixels of a path got, relative to its mean."""
    paths = [kernel[kernel > 0.05 * kernel.max()] for kernel in kernels]
    return float(np.mean([path.std() / path.mean() for path in paths]))


def test_handheld_cameras_linger_and_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = sample("handheld", 60, np.random.default_rng(5))
    spans = [max(np.ptp(axis) for axis in np.nonzero(k)) for k in kernels]
    assert min(spans) > 5
    assert max(spans) < 44
    monkeypatch.setattr(handheld, "_UNEVEN", 0.0)  # the same paths at constant speed
    assert unevenness(kernels) > 1.15 * unevenness(sample("handheld", 60, np.random.default_rng(5)))
