"""The result of ``kd bench`` as one page that needs nothing else: numbers, charts and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from kdcli.bench.charts import COLOURS, Dot, curve_plot, strip_plot
from kdcli.bench.labels import Measure, label, measured, number
from kdcli.bench.pictures import Pictures, Pixels, embed, embed_kernel
from kdcli.bench.statistics import differences
from kdcli.bench.tables import show_difference, summary
from kdcli.files.atomic import write_atomically

SIZE = 29_000_000
"""Bytes that a page of some hundred images stays under, whatever is on them."""

_LEAST = 40_000  # characters: with less, the pictures of an image would show nothing
_HIDDEN = {"psnr_input", "reblur_loss_true", "peak_memory_mib"}  # in the table, but no chart of their own


def write_report(
    path: Path,
    results: Mapping[str, Any],
    pictures: Mapping[str, Pictures],
    overwrite: bool = False,
) -> None:
    """Write the page.

    Images come worst first: those that failed, then by the PSNR of the first method that is not
    ``identity``. Each image's pictures are asked for once and let go, so that `pictures` may read them
    when asked. The best quality is used that keeps the page under 29 MB; of more than some 700 images,
    only the worst are shown.

    Args:
        path: the HTML file.
        results: the dict that ``kd bench --json`` writes. An image may have "residuals", a list of curves
            of ||y - k0 * x0||^2 over the sampling steps (Sanghvi et al. 2024, Figure 5), or over the turns.
        pictures: by the name of the image; those of some or all images may be missing.
        overwrite: replace an older file.

    Raises:
        UsageError: `path` exists and `overwrite` is false.
        KdError: the system refused to write.
    """
    methods = results["methods"]
    # How seconds divide into stages, and what is of all images together, is for the table of means alone.
    of_images = {name for method in methods for image in method["images"] for name in image}
    shown = [
        measure
        for measure in measured(methods)
        if measure.name in of_images and not measure.name.startswith("seconds_")
    ]
    scenes = _worst_first(methods)
    links = {name: f"#i{rank}" for rank, name in enumerate(scenes, 1)}
    texts = {name: _numbers(methods, shown, name) for name in scenes}
    page = Template(files("kdcli.bench").joinpath("report.html").read_text(encoding="utf-8"))
    parts = {
        "title": escape(f"{Path(str(results.get('dataset', ''))).name or 'kd'}: kd bench"),
        "facts": _facts(results),
        "summary": _summary(results),
        "differences": _differences(methods),
        "charts": _charts(methods, shown, links),
        "residuals": _residuals(methods),
        "sorting": _sorting(methods, shown),
    }
    left = SIZE - sum(map(len, (page.template, *parts.values(), *texts.values()))) - 400 * len(scenes)
    with_pictures = set([name for name in scenes if name in pictures][: max(left // _LEAST, 1)])
    waiting = len(with_pictures)
    drawn = []
    for rank, name in enumerate(scenes, 1):
        seen = ""
        if name in with_pictures:
            seen = _pictures(pictures[name], left // waiting)
            waiting -= 1
            left -= len(seen)
        head = f'<h3><a href="#i{rank}">{escape(name)}</a></h3>'
        drawn.append(f'<article class="scene" id="i{rank}">{head}{seen}{texts[name]}</article>')
    # A name from a file system may hold bytes that are no text.
    data = page.substitute(parts, scenes="\n".join(drawn)).encode("utf-8", "replace")
    write_atomically(path, data, overwrite=overwrite)


def _worst_first(methods: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of all images: those that failed first, those without a PSNR last."""
    judged = next((method for method in methods if method["method"] != "identity"), methods[0])
    failed = {one["name"] for method in methods for one in method.get("failed", ())}
    scores = {image["name"]: number(image, "psnr") for image in judged["images"]}
    names = dict.fromkeys(image["name"] for method in methods for image in method["images"])

    def badness(name: str) -> tuple[bool, float]:
        score = scores.get(name)
        return name not in failed, math.inf if score is None or math.isnan(score) else score

    return sorted([*names, *sorted(failed - names.keys())], key=badness)


def _facts(results: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in results.items() if isinstance(value, str | int | float)}
    return "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(str(v))}</dd></div>" for key, v in plain.items())


def _summary(results: Mapping[str, Any]) -> str:
    rows = list(summary(results))
    body = []
    for index, method in enumerate(results["methods"]):
        cells = "".join(f"<td>{escape(values[index])}</td>" for _, values in rows)
        body.append(f"<tr>{_method_head(index, method['method'])}{cells}</tr>")
    return _table(["method", *(title for title, _ in rows)], body)


def _differences(methods: Sequence[Mapping[str, Any]]) -> str:
    places = {method["method"]: index for index, method in enumerate(methods)}
    body = []
    for one in differences(methods):
        cells = (one.reference, label(one.measure).title, *show_difference(one), str(one.count))
        inside = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        body.append(f"<tr>{_method_head(places[one.method], one.method)}{inside}</tr>")
    titles = ["method", "against", "measure", "mean difference", "95 % interval", "wins", "images"]
    heading = "<h2>Differences</h2>"
    return heading + _table(titles, body, "words") if body else ""


def _charts(methods: Sequence[Mapping[str, Any]], shown: Iterable[Measure], links: Mapping[str, str]) -> str:
    charts = []
    for measure in shown:
        rows = [(method["method"], _dots(method, measure, links)) for method in methods]
        if measure.name not in _HIDDEN and any(dots for _, dots in rows):
            better = "higher" if measure.higher_is_better else "lower"
            title = f"{escape(measure.title)} <small>{better} is better</small>"
            charts.append(f"<figure><figcaption>{title}</figcaption>{strip_plot(rows)}</figure>")
    return "".join(charts)


def _dots(method: Mapping[str, Any], measure: Measure, links: Mapping[str, str]) -> list[Dot]:
    found = [(image["name"], number(image, measure.name)) for image in method["images"]]
    known = [(name, value) for name, value in found if value is not None and math.isfinite(value)]
    return [Dot(value, f"{name}: {measure.show(value)}", links[name]) for name, value in known]


def _residuals(methods: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (method["method"], [curve for image in method["images"] for curve in image.get("residuals") or ()])
        for method in methods
    ]
    if not any(curves for _, curves in rows):
        return ""
    words = "mean squared, over the sampling steps or turns; thick: the median"
    caption = f"<figcaption>‖y − k̂₀ ∗ x̂₀‖² <small>{words}</small></figcaption>"
    return f"<h2>Residual</h2><div class=charts><figure>{caption}{curve_plot(rows)}</figure></div>"


def _sorting(methods: Sequence[Mapping[str, Any]], shown: Iterable[Measure]) -> str:
    """The choices of the sorting menus; the page's script does the sorting."""
    names = [method["method"] for method in methods]
    first = next((name for name in names if name != "identity"), names[0])
    by_method = "".join(
        f'<option value="{index}"{" selected" if name == first else ""}>{escape(name)}</option>'
        for index, name in enumerate(names)
    )
    by_measure = "".join(
        f'<option value="{escape(measure.name)}" data-up="{int(measure.higher_is_better)}">'
        f"{escape(measure.title)}</option>"
        for measure in shown
    )
    return f"<select id=by-measure>{by_measure}</select> of <select id=by-method>{by_method}</select>"


def _numbers(methods: Sequence[Mapping[str, Any]], shown: Sequence[Measure], name: str) -> str:
    """The table of one image, a row a method."""
    body = []
    for index, method in enumerate(methods):
        image: Mapping[str, Any] = next((one for one in method["images"] if one["name"] == name), {})
        errors = [one.get("error", "") for one in method.get("failed", ()) if one["name"] == name]
        if errors:
            cells = f'<td class="error" colspan="{len(shown)}">failed: {escape(str(errors[0]))}</td>'
        else:
            cells = "".join(_cell(measure, number(image, measure.name)) for measure in shown)
        body.append(f'<tr data-method="{index}">{_method_head(index, method["method"])}{cells}</tr>')
    return _table(["method", *(measure.title for measure in shown)], body)


def _cell(measure: Measure, value: float | None) -> str:
    data = "" if value is None or math.isnan(value) else f' data-value="{value!r}"'
    return f'<td data-measure="{escape(measure.name)}"{data}>{measure.show(value)}</td>'


def _pictures(seen: Pictures, share: int) -> str:
    """Blurred, restored and sharp, then the kernels; those that are equal only once."""
    photos = _merged([("blurred", seen.blurred), *seen.restored.items(), ("sharp", seen.sharp)])
    known = [("true", seen.kernel), *seen.kernels.items()]
    kernels = _merged([(name, kernel) for name, kernel in known if kernel is not None])
    drawn = "".join(_figure(names, embed_kernel(kernel), *kernel.shape[:2]) for names, kernel in kernels)
    uris = embed([photo for _, photo in photos], share - len(drawn) - 200 * len(photos))
    figures = "".join(
        _figure(names, uri, *photo.shape[:2]) for (names, photo), uri in zip(photos, uris, strict=True)
    )
    beside = f'<div class="kernels">{drawn}</div>' if drawn else ""
    return f'<div class="strip">{figures}</div>{beside}'


def _figure(names: str, uri: str, height: int, width: int) -> str:
    title = escape(names)
    picture = f'<img src="{uri}" alt="{title}" width="{width}" height="{height}" loading="lazy">'
    return f'<figure>{picture}<figcaption class="name" title="{title}">{title}</figcaption></figure>'


def _merged(pictures: Iterable[tuple[str, Pixels]]) -> list[tuple[str, Pixels]]:
    """Equal pictures under one name: `identity` is the blurred photo, the oracle's kernel the true one."""
    merged: list[tuple[str, Pixels]] = []
    for name, picture in pictures:
        for index, (names, other) in enumerate(merged):
            if np.array_equal(picture, other):
                merged[index] = (f"{names} = {name}", other)
                break
        else:
            merged.append((name, picture))
    return merged


def _method_head(index: int, name: str) -> str:
    inside = f'<span class="name" title="{escape(name)}">{escape(name)}</span>'
    return f'<th scope="row" class="c{index % COLOURS}">{inside}</th>'


def _table(titles: Iterable[str], body: Iterable[str], kind: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    inside = f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="wide"><table class="{kind}">{inside}</table></div>'
