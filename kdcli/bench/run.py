"""Measures methods on a data set: what ``kd bench`` does, one image and method at a time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdcli.bench import measures
from kdcli.bench.dataset import Dataset, Pair
from kdcli.bench.gallery import Gallery
from kdcli.bench.journal import Journal
from kdcli.bench.methods import Answer, Method, make_method
from kdcli.bench.statistics import differences
from kdcli.bench.tables import SUCCESS_LIMITS
from kdcli.engine.deblur import to_array, to_tensor
from kdcli.engine.guidance import Guide
from kdcli.engine.options import Options
from kdcli.engine.patches import informative_patches
from kdcli.engine.restore import restore
from kdcli.errors import KdError
from kdcli.weights import Models, load_models

Scores = dict[str, Any]
Task = tuple[int, int]  # method, image


@dataclass(frozen=True)
class BenchConfig:
    """What to measure, and how.

    Attributes:
        methods: names as ``make_method`` takes them; the first is what the others are compared with.
        options: of kd.
        limit: only so many images, the first ones.
        device: as everywhere.
        jobs: processes, which share the processor's cores.
        gallery: folder that keeps the restored photos for a report, or None.
    """

    methods: tuple[str, ...]
    options: Options
    limit: int | None = None
    device: str = "auto"
    jobs: int = 1
    gallery: Path | None = None


class Bench:
    """A data set and the methods on it; networks are loaded when first needed."""

    def __init__(self, dataset: Dataset, config: BenchConfig):
        self.dataset, self.config = dataset, config
        self.count = min(len(dataset), config.limit or len(dataset))
        self.gallery = Gallery(config.gallery, dataset, config.methods) if config.gallery else None

    @cached_property
    def models(self) -> Models:
        """The networks."""
        return load_models(self.config.device)

    @cached_property
    def methods(self) -> list[Method]:
        """The methods, in order."""
        return [make_method(name, self.config.options, lambda: self.models) for name in self.config.methods]

    def tasks(self) -> Iterator[Task]:
        """Every method on an image before the next image: an interrupted run has whole rows."""
        return ((method, image) for image in range(self.count) for method in range(len(self.config.methods)))

    def measure(self, task: Task) -> Scores:
        """All measures of one method on one image; a failure is noted as ``error``, not raised."""
        method = self.methods[task[0]]
        name = self.dataset.names[task[1]]
        try:
            pair = self.dataset[task[1]]
            began = time.perf_counter()
            answer = method(pair)
            seconds = time.perf_counter() - began
            if self.gallery:
                self.gallery.keep(*task, answer)
            return {"name": name, **self._scores(pair, answer, seconds)}
        except KdError as error:
            return {"name": name, "error": str(error)}

    def _scores(self, pair: Pair, answer: Answer, seconds: float) -> Scores:
        restored, sharp = answer.restored, pair.sharp
        aligned = measures.align(restored, sharp)
        scores: Scores = {
            "psnr": measures.psnr(restored, sharp),
            "ssim": measures.ssim(restored, sharp),
            "psnr_aligned": measures.psnr(*aligned),
            "ssim_aligned": measures.ssim(*aligned),
            "psnr_input": measures.psnr(pair.blurred, sharp),
            "seconds": seconds,
        }
        scores |= {f"seconds_{stage}": value for stage, value in answer.seconds.items()}
        if pair.kernel is None:
            return scores
        if answer.kernel is None:  # judged with the kernel of no blur
            nothing = np.zeros_like(pair.kernel)
            nothing[32, 32] = 1
            return scores | {"mnc": measures.mnc(nothing, pair.kernel)}
        scores["mnc"] = measures.mnc(answer.kernel, pair.kernel)
        if answer.kernel is not pair.kernel:
            kernels = np.stack([answer.kernel, pair.kernel])
            scores |= self._judged(pair, kernels, measures.squared_error(*aligned))
        return scores

    def _judged(self, pair: Pair, kernels: NDArray[np.float32], error: float) -> Scores:
        """How an estimated kernel and its photo's error compare with the true kernel's, same solver."""
        photo = to_tensor(pair.blurred, self.models.device)
        both = torch.from_numpy(kernels[:, None]).to(self.models.device)
        solver = self.models.solver
        with torch.no_grad():
            guide = Guide(solver, informative_patches(photo, 1), samples=2)
            loss, loss_true = guide.loss(both).tolist()
            best = to_array(restore(solver, photo, both[1:], False, lambda _: None), pair.blurred)
        return {
            "reblur_loss": loss,
            "reblur_loss_true": loss_true,
            "error_ratio": error / max(measures.squared_error(*measures.align(best, pair.sharp)), 1e-12),
        }


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
        Ready for JSON: dataset, preset, count, methods (method, count, failed, mean, better_than_input,
        images of each), differences between them, and mean and images of the first method once more.

    Raises:
        UsageError: no such method.
        KdError: the networks can't be loaded.
    """
    bench = Bench(dataset, config)
    journal = journal or Journal()
    wanted = list(bench.tasks())
    _ = bench.methods  # a wrong name or damaged weights fail here, before anything is measured
    todo = [task for task in wanted if task not in journal.done]
    for number, (task, scores) in enumerate(_measured(bench, todo)):
        journal.keep(task, scores)
        if progress:
            progress("bench", (len(wanted) - len(todo) + number + 1) / len(wanted))
    summaries = [
        _summary(name, [journal.done[index, image] for image in range(bench.count)])
        for index, name in enumerate(config.methods)
    ]
    return {
        "dataset": dataset.name,
        "preset": config.options.preset,
        "count": bench.count,
        "mean": summaries[0]["mean"],
        "images": summaries[0]["images"],
        "methods": summaries,
        "differences": [difference.to_dict() for difference in differences(summaries)],
        "peak_memory_mib": _peak_memory(),
    }


def _measured(bench: Bench, tasks: list[Task]) -> Iterator[tuple[Task, Scores]]:
    """Tasks and their scores, in whatever order they end."""
    if bench.config.jobs == 1 or len(tasks) < 2:
        yield from ((task, bench.measure(task)) for task in tasks)
        return
    jobs = min(bench.config.jobs, len(tasks))
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=_start, initargs=(bench.dataset, bench.config, threads)
    ) as pool:
        running = {pool.submit(_measure, task): task for task in tasks}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_worker: Bench | None = None  # of a worker process


def _start(dataset: Dataset, config: BenchConfig, threads: int) -> None:
    global _worker
    torch.set_num_threads(threads)
    _worker = Bench(dataset, config)


def _measure(task: Task) -> Scores:
    assert _worker is not None
    return _worker.measure(task)


def _summary(name: str, rows: list[Scores]) -> dict[str, Any]:
    images = [row for row in rows if "error" not in row]
    keys = list(dict.fromkeys(key for image in images for key in image if key != "name"))
    mean = {key: _mean(image.get(key) for image in images) for key in keys}
    ratios = [image["error_ratio"] for image in images if "error_ratio" in image]
    if ratios:
        mean |= {f"success_{most}": float(np.mean([r <= most for r in ratios])) for most in SUCCESS_LIMITS}
    return {
        "method": name,
        "count": len(images),
        "failed": [row for row in rows if "error" in row],
        "mean": mean,
        "better_than_input": sum(image["psnr"] > image["psnr_input"] for image in images),
        "images": images,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _peak_memory() -> float | None:
    """The most memory that this process, its children, or a GPU have held, in MiB; None on Windows."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**20
    if sys.platform == "win32":
        return None
    import resource

    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most / 2**20 if sys.platform == "darwin" else most / 2**10
