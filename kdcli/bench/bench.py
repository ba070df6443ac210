"""One method on one image: what ``kd bench`` does again and again."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdcli.bench import measures
from kdcli.bench.answer import Answer
from kdcli.bench.command import Command
from kdcli.bench.dataset import Dataset, Pair
from kdcli.bench.gallery import Gallery
from kdcli.bench.journal import Task
from kdcli.bench.memory import PeakMemory
from kdcli.bench.methods import Kd, Method, make_method
from kdcli.debug import debugging
from kdcli.engine.arrays import to_array, to_tensor
from kdcli.engine.guidance import Guide
from kdcli.engine.options import Options
from kdcli.engine.patches import informative_patches
from kdcli.engine.restore import restore
from kdcli.errors import explain
from kdcli.weights import Models, load_models
from kdcli.weights.store import choose_device

Scores = dict[str, Any]

_GPU_BATCH = 8


@dataclass(frozen=True)
class BenchConfig:
    """What to measure, and how.

    Attributes:
        methods: names as ``make_method`` takes them; the first is what the others are compared with.
        options: of kd.
        limit: only so many images, the first ones.
        device: as everywhere.
        jobs: processes, which share the processor's cores.
        gallery: folder that keeps the restored photos, for a report or for ``measures``, or None.
        weights: as ``load_models`` takes them.
        measures: of ``perceptual.NAMES``, beside the others; they need a gallery.
        batch: photos that kd's networks look at together; None is as many as the device likes.
    """

    methods: tuple[str, ...]
    options: Options
    limit: int | None = None
    device: str = "auto"
    jobs: int = 1
    gallery: Path | None = None
    weights: str = "default"
    measures: tuple[str, ...] = ()
    batch: int | None = None


class Bench:
    """A data set and the methods on it; networks are loaded when first needed."""

    def __init__(self, dataset: Dataset, config: BenchConfig):
        self.dataset, self.config = dataset, config
        self.count = min(len(dataset), config.limit or len(dataset))
        self.gallery = Gallery(config.gallery, dataset, config.methods) if config.gallery else None

    @cached_property
    def device(self) -> torch.device:
        """Where networks compute."""
        return choose_device(self.config.device)

    @cached_property
    def models(self) -> Models:
        """The networks."""
        return load_models(self.config.device, self.config.weights)

    @cached_property
    def methods(self) -> list[Method]:
        """The methods, in order."""
        return [make_method(name, self.config.options, lambda: self.models) for name in self.config.methods]

    def tasks(self) -> Iterator[Task]:
        """Every method on an image before the next image: an interrupted run has whole rows."""
        return ((method, image) for image in range(self.count) for method in range(len(self.config.methods)))

    def keeps(self, task: Task) -> bool:
        """Whether the photo of a measured task is still there, where photos are kept at all."""
        return self.gallery is None or self.gallery.keeps(*task)

    def groups(self, tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
        """Tasks in the groups that ``measure`` takes: of one method, on as many images as go together."""
        at_once = self.config.batch or (_GPU_BATCH if self.device.type == "cuda" else 1)
        size = at_once * len(self.config.methods)
        for first in range(0, len(tasks), size):
            part = tasks[first : first + size]
            for method in dict.fromkeys(task[0] for task in part):
                own = [task for task in part if task[0] == method]
                yield from (own[i : i + at_once] for i in range(0, len(own), at_once))

    def measure(self, tasks: Sequence[Task]) -> list[Scores]:
        """All measures of one method on images; a failure is noted as ``error``, not raised."""
        method = self.methods[tasks[0][0]]
        try:
            pairs = [self.dataset[image] for _, image in tasks]
            memory, began = PeakMemory(self.device), time.perf_counter()
            answers = method.together(pairs) if isinstance(method, Kd) else [method(pair) for pair in pairs]
            seconds = (time.perf_counter() - began) / len(pairs)
            most = None if isinstance(method, Command) else memory.mebibytes()  # a program's is not ours
            return [
                self._row(task, pair, answer, seconds, most)
                for task, pair, answer in zip(tasks, pairs, answers, strict=True)
            ]
        except Exception as error:
            if len(tasks) > 1:  # which of them it was
                return [scores for task in tasks for scores in self.measure([task])]
            if debugging():
                traceback.print_exc()
            return [{"name": self.dataset.names[tasks[0][1]], "error": explain(error)}]

    def _row(self, task: Task, pair: Pair, answer: Answer, seconds: float, most: float | None) -> Scores:
        spent: Scores = {"seconds": seconds}
        spent |= {f"seconds_{stage}": value for stage, value in answer.seconds.items()}
        if most is not None:
            spent["peak_memory_mib"] = most
        if self.gallery:
            self.gallery.keep(*task, answer)
        return {"name": pair.name, **self._scores(pair, answer), **spent}

    def _scores(self, pair: Pair, answer: Answer) -> Scores:
        restored, sharp = answer.restored, pair.sharp
        aligned = measures.align(restored, sharp)
        scores: Scores = {
            "psnr": measures.psnr(restored, sharp),
            "ssim": measures.ssim(restored, sharp),
            "psnr_aligned": measures.psnr(*aligned),
            "ssim_aligned": measures.ssim(*aligned),
            "psnr_input": measures.psnr(pair.blurred, sharp),
        }
        if not np.isnan(answer.confidence):
            scores["confidence"] = answer.confidence
        if answer.residuals:
            scores["residuals"] = answer.residuals
        if pair.kernel is None:
            return scores
        if answer.kernel is None:  # judged with the kernel of no blur
            nothing = np.zeros_like(pair.kernel)
            nothing[32, 32] = 1
            return scores | {"mnc": measures.mnc(nothing, pair.kernel)}
        scores["mnc"] = measures.mnc(answer.kernel, pair.kernel)
        if answer.kernel is not pair.kernel:
            kernels = np.stack([answer.kernel, pair.kernel])
            scores |= self._judged(pair, kernels, measures.squared_error(*aligned), answer.from_camera)
        return scores

    def _judged(self, pair: Pair, kernels: NDArray[np.float32], error: float, from_camera: bool) -> Scores:
        """How an estimated kernel and its photo's error compare with the true kernel's.

        The solver is the same and is told the same about the photo.
        """
        light = self.config.options.light
        photo = to_tensor(pair.blurred, self.models.device, light)
        both = torch.from_numpy(kernels[:, None]).to(self.models.device)
        solver = self.models.solver
        with torch.no_grad():
            guide = Guide(solver, informative_patches(photo, 1), samples=2)
            loss, loss_true = guide.loss(both).tolist()
            restored = restore(solver, photo, both[1:], False, from_camera, lambda _: None)
            best = to_array(restored, pair.blurred, light)
        return {
            "reblur_loss": loss,
            "reblur_loss_true": loss_true,
            "error_ratio": error / max(measures.squared_error(*measures.align(best, pair.sharp)), 1e-12),
        }
