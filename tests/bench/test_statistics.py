"""Differences of methods against figures worked out by hand and another bootstrap."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

from kdcli.bench import statistics


def method(name: str, **values: list[float | None]) -> dict[str, Any]:
    """A method whose images are called a, b, c, ..."""
    count = max(map(len, values.values()))
    images = [{"name": "abcdefgh"[i], **{key: v[i] for key, v in values.items()}} for i in range(count)]
    return {"method": name, "images": images}


def test_by_hand() -> None:
    kd, peer = method("kd", psnr=[20.0, 30.0, 25.0, 21.0]), method("peer", psnr=[19.0, 31.0, 25.0, 19.0])
    found = statistics.paired(kd, peer, "psnr")
    assert found is not None
    assert (found.method, found.reference, found.measure, found.count) == ("kd", "peer", "psnr", 4)
    assert found.mean == 0.5
    assert found.win_rate == (2 + 0.5) / 4
    assert -1 <= found.low < 0.5 < found.high <= 2
    assert json.loads(json.dumps(found.to_dict()))["mean"] == 0.5


@pytest.mark.parametrize("measure", ["error_ratio", "reblur_loss", "seconds", "seconds_estimate", "lpips"])
def test_lower_wins_where_lower_is_better(measure: str) -> None:
    found = statistics.paired(
        method("kd", **{measure: [1.0, 2.0]}), method("x", **{measure: [3.0, 3.0]}), measure
    )
    assert found is not None
    assert found.mean == -1.5
    assert found.win_rate == 1


def test_images_are_paired_by_name_and_only_finite_ones_count() -> None:
    kd = method("kd", mnc=[0.9, 0.8, None, math.inf, 0.5])
    peer = method("peer", mnc=[0.5, 0.7, 0.1, 0.2])
    peer["images"].reverse()
    found = statistics.paired(kd, peer, "mnc")
    assert found is not None
    assert found.count == 2
    assert found.mean == pytest.approx(0.25)


def test_every_method_is_compared_with_each_before_it() -> None:
    first = method("identity", psnr=[20.0, 21.0], ssim=[0.5, 0.5])
    methods = [first, method("kd", psnr=[22.0, 22.0], ssim=[0.6, 0.6]), method("cmd", psnr=[1.0, 2.0])]
    found = [(one.method, one.reference, one.measure) for one in statistics.differences(methods)]
    assert found == [
        ("kd", "identity", "psnr"),
        ("kd", "identity", "ssim"),
        ("cmd", "identity", "psnr"),
        ("cmd", "kd", "psnr"),
    ]
    assert statistics.differences(methods[:1]) == []


def test_the_interval_agrees_with_scipys() -> None:
    values = np.random.default_rng(1).gamma(2, size=80)
    theirs = bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", random_state=2)
    ours = statistics.bootstrap_interval(values)
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=0.02)


def test_the_seed_decides_and_memory_is_bounded() -> None:
    values = np.random.default_rng(1).normal(size=3000)  # 30 million draws
    assert statistics.bootstrap_interval(values) == statistics.bootstrap_interval(values)
    assert statistics.bootstrap_interval(values) != statistics.bootstrap_interval(values, seed=1)
    low, high = statistics.bootstrap_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(3000), rel=0.05)


def test_one_image_has_no_width() -> None:
    found = statistics.paired(method("a", psnr=[3.0]), method("b", psnr=[1.0]), "psnr")
    assert found is not None
    assert (found.low, found.mean, found.high, found.win_rate) == (2, 2, 2, 1)


def test_shares() -> None:
    kd = method("kd", error_ratio=[1.0, 2.0, 2.5, None], psnr=[1.0, 2.0, 3.0, 4.0], psnr_input=[1.0, 1, 1, 1])
    assert statistics.success_rate(kd, 2) == pytest.approx(2 / 3)
    assert statistics.success_rate(kd, 3) == 1
    assert statistics.better_than_input(kd) == 0.75
    assert statistics.success_rate(method("x", psnr=[1.0]), 2) is None
    assert statistics.better_than_input(method("x", psnr=[1.0])) is None


def test_a_stated_mean_goes_before_one_of_the_images() -> None:
    kd = method("kd", psnr=[1.0, 2.0, None])
    assert statistics.mean_of(kd, "psnr") == 1.5
    assert statistics.mean_of({**kd, "mean": {"psnr": 9, "ssim": None}}, "psnr") == 9
    assert statistics.mean_of({**kd, "mean": {"ssim": None}}, "ssim") is None
