"""The paper's tables in Markdown: its numbers first, then ours from files of ``kd bench --json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from kdcli.bench.labels import label
from kdcli.bench.paper.published import TABLES
from kdcli.bench.statistics import better_than_input, mean_of
from kdcli.bench.tables import percent, plain
from kdcli.engine.options import PRESETS
from kdcli.errors import UsageError

COLUMNS: Mapping[str, Sequence[str]] = {
    "table1": ("psnr", "ssim", "lpips", "fid", "mnc", "better", "seconds", "pairs"),
    "table2": ("psnr", "ssim", "mnc", "reblur_loss", "steps", "seconds", "pairs"),
    "table4": ("psnr_aligned", "ssim_aligned", "psnr", "ssim", "mnc", "error_ratio", "seconds", "pairs"),
}
"""Keys of the columns of each table: measures, and what ``_cell`` knows besides."""

_FORMS = {
    "ssim": ".3f",
    "ssim_aligned": ".3f",
    "lpips": ".3f",
    "fid": ".1f",
    "seconds": ".1f",
    "reblur_loss": ".2e",
}
_TITLES = {"better": "better than the input", "steps": "steps", "pairs": "pairs"}
_WHOLE = {"bsd100": 100, "levin": 32, "kohler": 48, "realblur-j": 980}
_METHODS = {
    "identity": "blurred input",
    "oracle": "our solver, true kernel",
    "wiener": "Wiener's filter, true kernel",
}
_VARIANTS = {"unguided": "without guidance", "unrefined": "without refinement"}


def table(name: str, results: Sequence[Mapping[str, Any]]) -> str:
    """A table of the paper, a row a method.

    Args:
        name: a key of ``COLUMNS``.
        results: as ``read_result`` gives them; their methods follow one another.
    """
    columns = COLUMNS[name]
    heads = [_TITLES.get(column) or label(column).title for column in columns]
    lines = [f"| {' | '.join(['', *heads])} |", f"| --- |{' ---: |' * len(columns)}"]
    for title, published in TABLES[name].items():
        cells = [_show(column, published.get(column)) for column in columns]
        lines.append(f"| the paper: {title} | {' | '.join(cells)} |")
    several = name == "table4" or len({result.get("dataset") for result in results}) > 1
    for result in results:
        for method in result["methods"]:
            start = f"{plain(result.get('dataset', ''))}: " if several else ""
            cells = [_cell(column, result, method) for column in columns]
            lines.append(f"| {start}{_title(method['method'], result)} | {' | '.join(cells)} |")
    return "\n".join([*lines, *_remarks(results)]) + "\n"


def fill(page: str, name: str, text: str) -> str:
    """The page with a table between the comments that bear its name, in place of what was there.

    Raises:
        UsageError: the page has no such comments.
    """
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = page.partition(first)
    _, closed, after = rest.partition(last)
    if not (found and closed):
        raise UsageError(f"the page has no place for {name}: give it the lines {first.strip()} and {last}")
    return f"{before}{first}\n{text}\n{last}{after}"


def _title(method: str, result: Mapping[str, Any]) -> str:
    if method in _METHODS:
        return _METHODS[method]
    name, _, variant = method.partition(":")
    if name != "kd":
        return f"`{plain(method)}`".replace("|", "\\|")
    preset = result.get("preset", "")
    if variant in _VARIANTS:
        return f"`kd --preset {preset}`, {_VARIANTS[variant]}"
    return f"`kd --preset {variant or preset}`"


def _cell(column: str, result: Mapping[str, Any], method: Mapping[str, Any]) -> str:
    if column == "pairs":
        return str(len(method["images"]))
    if column == "better":
        return "–" if method["method"] == "identity" else percent(better_than_input(method))
    if column == "steps":
        name, _, variant = method["method"].partition(":")
        own = {"steps": PRESETS[variant].steps} if variant in PRESETS else result.get("options", {})
        return str(own.get("steps", "–")) if name == "kd" else "–"
    return _show(column, mean_of(method, column))


def _show(column: str, value: float | None) -> str:
    measure = label(column)
    return replace(measure, form=_FORMS.get(column, measure.form)).show(value)


def _remarks(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """What must be known to read our rows."""
    lines = []
    for result in results:
        known = ("version", "weights", "device")
        made = ", ".join(f"{name} {plain(result[name])}" for name in known if name in result)
        lines += [f"Our rows: {made}." if made else "", _changes(result)]
        dataset = str(result.get("dataset", ""))
        count = min(len(method["images"]) for method in result["methods"])
        whole = _WHOLE.get(dataset, count)
        if count < whole:
            lines.append(f"**A trial on {count} of the {whole} pairs of {dataset}: too few to judge by.**")
    said = [line for line in dict.fromkeys(lines) if line]
    return ["", *said] if said else []


def _changes(result: Mapping[str, Any]) -> str:
    """How a run's settings differ from those of its preset."""
    usual = PRESETS.get(str(result.get("preset")))
    given = result.get("options", {})
    if usual is None:
        return ""
    changed = {key: given[key] for key, value in asdict(usual).items() if given.get(key, value) != value}
    words = [f"{key} {value}" for key, value in changed.items() if key not in ("seed", "residuals")]
    return f"**Other settings than the preset's: {', '.join(words)}.**" if words else ""
