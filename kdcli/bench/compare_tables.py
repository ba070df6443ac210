"""What changed between two results, as tables in the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kdcli.bench.compare import Comparison, MethodChange
from kdcli.bench.labels import label
from kdcli.bench.tables import plain, show_difference

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


def render(comparison: Comparison, *, limit: int | None = None) -> RenderableType:
    """For ``rich``: the means, then the images, those that lost most PSNR first.

    Args:
        limit: show only so many images of each method.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for method in comparison.methods:
        parts += [_means(method), _images(method, limit)]
    lists = {
        "methods only in the first": comparison.only_before,
        "methods only in the second": comparison.only_after,
    }
    for method in comparison.methods:
        lists[f"{method.method}: images only in the first"] = method.only_before
        lists[f"{method.method}: images only in the second"] = method.only_after
        lists[f"{method.method}: failed in the second"] = method.failed
    parts += [Text(f"note: {plain(note)}") for note in comparison.notes]
    parts += [Text(plain(f"{title}: {', '.join(names)}")) for title, names in lists.items() if names]
    return Group(*parts)


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
    for name, (before, after) in method.of_set.items():
        measure = label(name)
        shown = (measure.show(before), measure.show(after), measure.show(after - before, sign=True))
        table.add_row(measure.title, *shown, "–", "–")
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
