"""What changed between two results of ``kd bench``, image by image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdcli.bench.labels import label, measured, number, of_set
from kdcli.bench.statistics import Difference, paired
from kdcli.errors import UsageError


@dataclass(frozen=True)
class ImageChange:
    """One image in both results.

    Attributes:
        name: of the image.
        before, after: every measure that both have.
    """

    name: str
    before: Mapping[str, float]
    after: Mapping[str, float]

    def gain(self, measure: str) -> float | None:
        """How much better it has become, in the measure's unit; None if the measure is not there."""
        if measure not in self.before:
            return None
        return _gain(measure, self.before[measure], self.after[measure])


@dataclass(frozen=True)
class MethodChange:
    """One method in both results.

    Attributes:
        method: its name, in the second result.
        images: those in both, in the first one's order.
        only_before, only_after: names of images in one alone.
        failed: names of images that the first measured and the second failed on.
        differences: after - before of every measure.
        of_set: before and after of measures of all images of each together, such as FID.
    """

    method: str
    images: tuple[ImageChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    failed: tuple[str, ...]
    differences: tuple[Difference, ...]
    of_set: Mapping[str, tuple[float, float]]

    def gain(self, measure: str) -> float | None:
        """How much better it is in the mean of the images in both, or of the set; None if nothing says."""
        if measure in self.of_set:
            return _gain(measure, *self.of_set[measure])
        gains = [gain for image in self.images if (gain := image.gain(measure)) is not None]
        return sum(gains) / len(gains) if gains else None


@dataclass(frozen=True)
class Comparison:
    """Two results side by side.

    Attributes:
        methods: those in both.
        only_before, only_after: names of methods in one alone.
        notes: what makes the comparison doubtful, a line each.
    """

    methods: tuple[MethodChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    notes: tuple[str, ...]

    def worse(self, metric: str, tolerance: float) -> list[str]:
        """Why the second result is worse, a line for each reason; empty if it is not.

        It is worse where the mean of a method over the images in both, or what it has of all its images
        together, has become worse by more than `tolerance`, and where an image that could be measured
        before fails now.

        Raises:
            UsageError: no image in both has the metric: a check that checks nothing must not pass.
        """
        known = {name for method in self.methods for image in method.images for name in image.before}
        known |= {name for method in self.methods for name in method.of_set}
        if metric not in known:
            raise UsageError(
                f"{metric} is not in both results: choose one of {', '.join(sorted(known)) or 'none'}"
            )
        reasons = []
        for method in self.methods:
            gain = method.gain(metric)
            # Compared so that a mean which is no number counts as worse, and a rounding error does not.
            if gain is not None and not gain >= -tolerance - 1e-9:
                size = label(metric).show(abs(gain))
                reasons.append(f"{method.method}: {metric} is worse by {size}, more than {tolerance:g}")
            if method.failed:
                reasons.append(f"{method.method}: fails now on {', '.join(method.failed)}")
        return reasons


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> Comparison:
    """What changed from result `a` to result `b`, methods and images paired by name.

    Two results of one method each are compared whatever the methods are called.

    Raises:
        UsageError: the results have no method, or no image, in common.
    """
    before = {str(method["method"]): method for method in a["methods"]}
    after = {str(method["method"]): method for method in b["methods"]}
    pairs = [(method, after[name]) for name, method in before.items() if name in after]
    notes = []
    if not pairs and len(before) == len(after) == 1:
        pairs = [(*before.values(), *after.values())]
        notes.append(f"the methods differ: {', '.join(before)} and {', '.join(after)}")
    if not pairs:
        raise UsageError(f"no method is in both: {', '.join(before)} here, {', '.join(after)} there")
    if a.get("dataset") != b.get("dataset"):
        notes.append(f"the data sets differ: {a.get('dataset')} and {b.get('dataset')}")
    methods = tuple(_change(*pair) for pair in pairs)
    if any(abs(image.gain("psnr_input") or 0) > 1e-6 for method in methods for image in method.images):
        notes.append("the blurred photos differ: their own PSNR has changed")
    if not any(method.images for method in methods):
        raise UsageError("no image is in both results: compare runs on the same data set")
    alone = {id(method) for pair in pairs for method in pair}
    return Comparison(
        methods=methods,
        only_before=tuple(name for name, method in before.items() if id(method) not in alone),
        only_after=tuple(name for name, method in after.items() if id(method) not in alone),
        notes=tuple(notes),
    )


def parse_limit(text: str) -> tuple[str, float]:
    """Metric and tolerance out of METRIC:TOLERANCE, such as "psnr:0.1".

    Raises:
        UsageError: it is written otherwise.
    """
    metric, _, amount = text.rpartition(":")
    try:
        tolerance = float(amount)
    except ValueError:
        tolerance = math.nan
    if not metric or not 0 <= tolerance < math.inf:
        raise UsageError(f"--fail-if-worse {text}: write METRIC:TOLERANCE, such as psnr:0.1")
    return metric, tolerance


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> MethodChange:
    old = {image["name"]: image for image in before["images"]}
    new = {image["name"]: image for image in after["images"]}
    names = [measure.name for measure in measured([before, after])]
    was, now = of_set(before), of_set(after)
    found = (paired({**after, "method": "after"}, {**before, "method": "before"}, name) for name in names)
    return MethodChange(
        method=str(after["method"]),
        images=tuple(_image(name, old[name], new[name], names) for name in old if name in new),
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        failed=tuple(one["name"] for one in after.get("failed", ()) if one["name"] in old),
        differences=tuple(one for one in found if one),
        of_set={name: (was[name], now[name]) for name in was if name in now},
    )


def _gain(measure: str, before: float, after: float) -> float:
    change = 0.0 if before == after else after - before  # so that two infinite ones are equal
    return change if label(measure).higher_is_better else -change


def _image(name: str, old: Mapping[str, Any], new: Mapping[str, Any], names: list[str]) -> ImageChange:
    pairs = {measure: (number(old, measure), number(new, measure)) for measure in names}
    known = {measure: (a, b) for measure, (a, b) in pairs.items() if a is not None and b is not None}
    return ImageChange(
        name=name,
        before={measure: a for measure, (a, _) in known.items()},
        after={measure: b for measure, (_, b) in known.items()},
    )
