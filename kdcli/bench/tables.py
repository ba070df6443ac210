"""The result of ``kd bench`` as a table in the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kdcli.bench.labels import label, measured, of_set
from kdcli.bench.statistics import Difference, better_than_input, differences, mean_of, success_rate

if TYPE_CHECKING:
    from rich.console import RenderableType

SUCCESS_LIMITS = (2, 3)
"""Error ratios up to which a restoration counts as a success."""


def render(result: Mapping[str, Any]) -> RenderableType:
    """The means of every method, one a column, and their differences; for ``rich``."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    methods = result["methods"]
    images = max(len(method["images"]) for method in methods)
    means = Table(title=Text(f"{plain(result.get('dataset', ''))}: {images} images, means"))
    means.add_column("")
    for method in methods:
        means.add_column(Text(plain(method["method"])), justify="right", overflow="fold")
    for title, values in summary(result):
        means.add_row(title, *values)
    found = differences(methods)
    return Group(means, difference_table(found)) if found else means


def difference_table(found: list[Difference]) -> RenderableType:
    """One row a difference, for ``rich``."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="differences, with 95 % intervals")
    for title in ("method", "against", "measure", "mean", "interval", "wins"):
        table.add_column(title, justify="right" if title in ("mean", "interval", "wins") else "left")
    for one in found:
        names = (Text(plain(name), overflow="fold") for name in (one.method, one.reference))
        table.add_row(*names, label(one.measure).title, *show_difference(one))
    return table


def summary(result: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Rows of the table of means: a title and the text of each method."""
    methods = result["methods"]
    for measure in measured(methods):
        if measure.name != "psnr_input":  # the same for every method, and the PSNR of `identity`
            yield measure.title, [measure.show(mean_of(method, measure.name)) for method in methods]
    rates = {"better than input": [better_than_input(method) for method in methods]}
    for limit in SUCCESS_LIMITS:
        rates[f"error ratio ≤ {limit}"] = [success_rate(method, limit) for method in methods]
    for title, values in rates.items():
        if any(value is not None for value in values):
            yield title, [percent(value) for value in values]
    failed = [len(method.get("failed", ())) for method in methods]
    if any(failed):
        yield "failed", [str(count) for count in failed]


def show_difference(one: Difference) -> tuple[str, str, str]:
    """Mean, interval and win rate as text. One image has no interval."""
    measure = label(one.measure)
    low, high = (measure.show(value, sign=True) for value in (one.low, one.high))
    interval = f"[{low}, {high}]" if one.count > 1 else "–"
    return measure.show(one.mean, sign=True), interval, percent(one.win_rate)


def to_csv(result: Mapping[str, Any]) -> str:
    """One row an image and method with all its measures; an image that failed has only its error.

    A measure of all images of a method together, such as FID, is in the row of each. A measure made of
    parts, such as {"seconds": {"estimate": 1}}, has the columns "seconds.estimate" and so on. Lists have
    no place in a table and are left out.
    """
    rows: list[dict[str, Any]] = []
    for method in result["methods"]:
        start = {"dataset": result.get("dataset", ""), "method": method["method"]}
        rows += [start | dict(_flat(image)) | of_set(method) for image in method["images"]]
        failed = method.get("failed", ())
        rows += [start | {"name": one["name"], "error": one.get("error", "")} for one in failed]
    # The error comes last, whichever row has the first one.
    columns = dict.fromkeys(("dataset", "method", "name"))
    columns.update((name, None) for row in rows for name in row if name != "error")
    file = io.StringIO()
    writer = csv.DictWriter(file, [*columns, "error"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def percent(share: float | None) -> str:
    """A share in [0, 1] as text."""
    return "–" if share is None else f"{100 * share:.0f} %"


def plain(name: object) -> str:
    """A name without the characters that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(name))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list | tuple):
            yield prefix + name, value
