"""How sure a difference between two methods is: paired, with a bootstrap interval and a win rate.

Methods are the dicts in the ``methods`` of a result; their images are paired by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdcli.bench.labels import label, number

RESAMPLES = 10_000
"""Bootstrap samples of an interval."""

COMPARED = ("psnr", "ssim", "mnc", "lpips")
"""The measures that ``differences`` compares."""

_AT_ONCE = 1 << 20  # drawn indices held in memory


@dataclass(frozen=True)
class Difference:
    """A method against a reference on the images that both have measured.

    Attributes:
        measure: key of the measure, in whose unit the numbers are.
        method, reference: names of the two.
        count: images compared.
        mean: of method - reference.
        low, high: bounds of the 95 % interval of the mean; both are the mean where count is 1.
        win_rate: share of the images on which the method is the better one, ties counting half.
    """

    measure: str
    method: str
    reference: str
    count: int
    mean: float
    low: float
    high: float
    win_rate: float

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def differences(methods: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Every method against each before it, for the measures in ``COMPARED`` that both have."""
    pairs = [
        (method, reference, measure)
        for place, method in enumerate(methods)
        for reference in methods[:place]
        for measure in COMPARED
    ]
    return [found for found in (paired(*pair) for pair in pairs) if found]


def paired(
    method: Mapping[str, Any], reference: Mapping[str, Any], measure: str, *, seed: int = 0
) -> Difference | None:
    """One method against another for one measure.

    Images count that have a finite value in both; None if there is none. The seed makes the interval
    the same whenever and in whatever order it is computed.
    """
    theirs = {image["name"]: number(image, measure) for image in reference["images"]}
    pairs = [(number(image, measure), theirs.get(image["name"])) for image in method["images"]]
    known = [a - b for a, b in pairs if a is not None and b is not None and math.isfinite(a - b)]
    if not known:
        return None
    values = np.array(known)
    better = values if label(measure).higher_is_better else -values
    low, high = bootstrap_interval(values, seed=seed)
    return Difference(
        measure=measure,
        method=str(method["method"]),
        reference=str(reference["method"]),
        count=len(values),
        mean=float(values.mean()),
        low=low,
        high=high,
        win_rate=float(((better > 0) + 0.5 * (better == 0)).mean()),
    )


def bootstrap_interval(values: NDArray[np.float64], *, seed: int = 0) -> tuple[float, float]:
    """Bounds of the 95 % percentile interval of the mean of values (n), n > 0, from 10,000 resamples.

    Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // len(values))
    means = [
        values[rng.integers(len(values), size=(min(rows, RESAMPLES - done), len(values)))].mean(1)
        for done in range(0, RESAMPLES, rows)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def mean_of(method: Mapping[str, Any], measure: str) -> float | None:
    """The mean that a result states, or else that of its images; None if neither has the measure."""
    stated = number(method.get("mean", {}), measure)
    if stated is not None:
        return stated
    values = [number(image, measure) for image in method["images"]]
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def success_rate(method: Mapping[str, Any], limit: float) -> float | None:
    """Share of the images whose error ratio is at most `limit` (Levin et al. 2009), in [0, 1].

    None if no image has an error ratio.
    """
    ratios = [number(image, "error_ratio") for image in method["images"]]
    known = [ratio for ratio in ratios if ratio is not None]
    return sum(ratio <= limit for ratio in known) / len(known) if known else None


def better_than_input(method: Mapping[str, Any]) -> float | None:
    """Share of the images whose PSNR is above that of the blurred input, in [0, 1]; None if unknown.

    Those without blur, whose PSNR is infinite and null in JSON, are no question.
    """
    pairs = [(number(image, "psnr"), number(image, "psnr_input")) for image in method["images"]]
    known = [
        after > before
        for after, before in pairs
        if after is not None and before is not None and not math.isinf(before)
    ]
    return sum(known) / len(known) if known else None
