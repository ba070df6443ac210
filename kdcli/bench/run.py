"""Measures methods on a data set: what ``kd bench`` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict
from typing import Any

import numpy as np

from kdcli._version import __version__
from kdcli.bench.bench import Bench, BenchConfig, Scores
from kdcli.bench.dataset import Dataset
from kdcli.bench.journal import Journal
from kdcli.bench.perceptual import Perceptual
from kdcli.bench.statistics import differences
from kdcli.bench.tables import SUCCESS_LIMITS
from kdcli.bench.workers import measure_all

_NO_NUMBERS = ("name", "residuals")  # what is known of an image and has no mean


def run_bench(
    dataset: Dataset,
    config: BenchConfig,
    *,
    journal: Journal | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Measure every method on every image.

    Args:
        journal: keeps what is done, and knows what an interrupted run has done.

    Returns:
        Ready for JSON: version, dataset, preset, options, weights, device, count, methods (method, count,
        failed, mean, better_than_input, images of each), differences between them, and mean and images of
        the first method once more. Seconds and memory apart, it is the same for the same arguments.

    Raises:
        UsageError: no such method or measure.
        KdError: the networks can't be loaded.
    """
    bench = Bench(dataset, config)
    journal = journal or Journal()
    wanted = list(bench.tasks())
    # Wrong names and damaged weights fail here, before anything is measured.
    _ = bench.methods
    perceptual = Perceptual(config.measures, bench.device)
    if bench.gallery and not journal.done:
        bench.gallery.remove()  # what an older run may have left
    todo = [task for task in wanted if not (task in journal.done and bench.keeps(task))]
    with closing(measure_all(bench, todo)) as found:
        for number, (task, scores) in enumerate(found):
            journal.keep(task, scores)
            if progress:
                progress("bench", (len(wanted) - len(todo) + number + 1) / len(wanted))
    summaries = []
    for index, name in enumerate(config.methods):
        rows = [journal.done[index, image] for image in range(bench.count)]
        of_set = _perceive(perceptual, bench, name, rows) if perceptual else {}
        summaries.append(_summary(name, rows, of_set))
        if progress and perceptual:
            progress("perceptual", (index + 1) / len(config.methods))
    return {
        "version": __version__,
        "dataset": dataset.name,
        "preset": config.options.preset,
        "options": asdict(config.options),
        "weights": config.weights,
        "device": str(bench.device),
        "count": bench.count,
        "mean": summaries[0]["mean"],
        "images": summaries[0]["images"],
        "methods": summaries,
        "differences": [difference.to_dict() for difference in differences(summaries)],
    }


def _perceive(perceptual: Perceptual, bench: Bench, method: str, rows: list[Scores]) -> dict[str, float]:
    """Add the perceptual measures of each image to its row; those of all images together."""
    gallery = bench.gallery
    assert gallery is not None
    done = [row for row in rows if "error" not in row]
    seen = (gallery[row["name"]] for row in done)
    each, of_set = perceptual((pictures.restored[method], pictures.sharp) for pictures in seen)
    for row, scores in zip(done, each, strict=True):
        row |= scores
    return of_set


def _summary(name: str, rows: list[Scores], of_set: dict[str, float]) -> dict[str, Any]:
    images = [row for row in rows if "error" not in row]
    keys = list(dict.fromkeys(key for image in images for key in image if key not in _NO_NUMBERS))
    mean = {key: _mean(image.get(key) for image in images) for key in keys} | of_set
    ratios = [image["error_ratio"] for image in images if "error_ratio" in image]
    if ratios:
        mean |= {f"success_{most}": float(np.mean([r <= most for r in ratios])) for most in SUCCESS_LIMITS}
    calibration = _calibration(images)
    if calibration is not None:
        mean["calibration"] = calibration
    return {
        "method": name,
        "count": len(images),
        "failed": [row for row in rows if "error" in row],
        "mean": mean,
        "better_than_input": sum(image["psnr"] > image["psnr_input"] for image in images),
        "images": images,
    }


def _calibration(images: list[Scores]) -> float | None:
    """The rank correlation of confidence and MNC; None where it means nothing."""
    pairs = np.array([[i["confidence"], i["mnc"]] for i in images if {"confidence", "mnc"} <= set(i)])
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(pairs).statistic)


def _mean(values: Iterable[float | None]) -> float | None:
    # Of equal photos, that is without blur, PSNR is infinite, in JSON null, and would be every mean's.
    known = [value for value in values if value is not None and not math.isinf(value)]
    return float(np.mean(known)) if known else None
