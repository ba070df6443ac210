"""What changed between two results of ``kd bench``, image by image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kdcli.bench.labels import label, measured, number
from kdcli.bench.statistics import Difference, paired
from kdcli.bench.tables import plain, show_difference
from kdcli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


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
        before, after = self.before[measure], self.after[measure]
        change = 0.0 if before == after else after - before  # so that two infinite ones are equal
        return change if label(measure).higher_is_better else -change


@dataclass(frozen=True)
class MethodChange:
    """One method in both results.

    Attributes:
        method: its name, in the second result.
        images: those in both, in the first one's order.
        only_before, only_after: names of images in one alone.
        failed: names of images that the first measured and the second failed on.
        differences: after - before of every measure.
    """

    method: str
    images: tuple[ImageChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    failed: tuple[str, ...]
    differences: tuple[Difference, ...]


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

        It is worse where the mean of a method, over the images in both, has become worse by more than
        `tolerance`, and where an image that could be measured before fails now.

        Raises:
            UsageError: no image in both has the metric: a check that checks nothing must not pass.
        """
        known = sorted({name for method in self.methods for image in method.images for name in image.before})
        if metric not in known:
            raise UsageError(f"{metric} is not in both results: choose one of {', '.join(known) or 'none'}")
        reasons = []
        for method in self.methods:
            gains = [image.gain(metric) for image in method.images]
            values = [gain for gain in gains if gain is not None]
            mean = sum(values) / len(values) if values else 0.0
            # Compared so that a mean which is no number counts as worse, and a rounding error does not.
            if not mean >= -tolerance - 1e-9:
                size = label(metric).show(abs(mean))
                reasons.append(f"{method.method}: {metric} is worse by {size}, more than {tolerance:g}")
            if method.failed:
                reasons.append(f"{method.method}: fails now on {', '.join(method.failed)}")
        return reasons

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    def render(self, *, limit: int | None = None) -> RenderableType:
        """For ``rich``: the means, then the images, those that lost most PSNR first.

        Args:
            limit: show only so many images of each method.
        """
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = []
        for method in self.methods:
            parts += [_means(method), _images(method, limit)]
        lists = {
            "methods only in the first": self.only_before,
            "methods only in the second": self.only_after,
        }
        for method in self.methods:
            lists[f"{method.method}: images only in the first"] = method.only_before
            lists[f"{method.method}: images only in the second"] = method.only_after
            lists[f"{method.method}: failed in the second"] = method.failed
        parts += [Text(f"note: {plain(note)}") for note in self.notes]
        parts += [Text(plain(f"{title}: {', '.join(names)}")) for title, names in lists.items() if names]
        return Group(*parts)


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
    found = (paired({**after, "method": "after"}, {**before, "method": "before"}, name) for name in names)
    return MethodChange(
        method=str(after["method"]),
        images=tuple(_image(name, old[name], new[name], names) for name in old if name in new),
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        failed=tuple(one["name"] for one in after.get("failed", ()) if one["name"] in old),
        differences=tuple(one for one in found if one),
    )


def _image(name: str, old: Mapping[str, Any], new: Mapping[str, Any], names: list[str]) -> ImageChange:
    pairs = {measure: (number(old, measure), number(new, measure)) for measure in names}
    known = {measure: (a, b) for measure, (a, b) in pairs.items() if a is not None and b is not None}
    return ImageChange(
        name=name,
        before={measure: a for measure, (a, _) in known.items()},
        after={measure: b for measure, (_, b) in known.items()},
    )


def _means(method: MethodChange) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{plain(method.method)}: {len(method.images)} images in both"))
    for title in ("measure", "before", "after", "change", "95 % interval", "better on"):
        table.add_column(title, justify="left" if title == "measure" else "right")
    for one in method.differences:
        if one.measure == "psnr_input":  # says nothing of the method
            continue
        measure = label(one.measure)
        # Means over the very images that the difference is of.
        known = [image for image in method.images if one.measure in image.before]
        pairs = [(image.before[one.measure], image.after[one.measure]) for image in known]
        finite = [pair for pair in pairs if math.isfinite(pair[1] - pair[0])]
        means = (measure.show(math.fsum(values) / len(finite)) for values in zip(*finite, strict=True))
        table.add_row(measure.title, *means, *show_difference(one))
    return table


def _images(method: MethodChange, limit: int | None) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    shown = [label(one.measure) for one in method.differences if one.measure in ("psnr", "ssim", "mnc")]
    images = method.images
    if shown:  # stable, so that images without a change stay in their order
        images = tuple(sorted(images, key=lambda image: _rank(image.gain(shown[0].name))))
    table = Table(title=Text(f"{plain(method.method)}: image by image"))
    table.add_column("image", overflow="fold")
    for measure in shown:
        table.add_column(measure.title, justify="right")
        table.add_column("change", justify="right")
    for image in images[:limit]:
        cells: list[Text | str] = [Text(plain(image.name))]
        for measure in shown:
            before, after = image.before.get(measure.name), image.after.get(measure.name)
            change = None if before is None or after is None else after - before
            cells += [
                measure.show(after),
                _coloured(measure.show(change, sign=True), image.gain(measure.name)),
            ]
        table.add_row(*cells)
    return table


def _rank(gain: float | None) -> float:
    return -math.inf if gain is None or math.isnan(gain) else gain


def _coloured(text: str, gain: float | None) -> Text:
    from rich.text import Text

    return Text(text, style="red" if gain and gain < 0 else "green" if gain and gain > 0 else "")
