"""Measuring task after task, here or in several processes at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial

from kdcli.bench.bench import Bench, BenchConfig, Scores
from kdcli.bench.dataset import Dataset
from kdcli.bench.journal import Task
from kdcli.processes import Died, run_in_processes


def measure_all(bench: Bench, tasks: Sequence[Task]) -> Generator[tuple[Task, Scores]]:
    """Tasks and their scores, in whatever order they end; close the iterator to end the processes."""
    if bench.config.jobs == 1:
        for group in bench.groups(tasks):
            yield from zip(group, bench.measure(group), strict=True)
        return
    start = partial(_start, bench.dataset, bench.config)
    for task, scores in run_in_processes(tasks, start, bench.config.jobs):
        if isinstance(scores, Died):
            scores = {"name": bench.dataset.names[task[1]], "error": scores.reason}
        yield task, scores


def _start(dataset: Dataset, config: BenchConfig) -> Callable[[Task], Scores]:
    bench = Bench(dataset, config)
    _ = bench.methods  # loads the networks
    return lambda task: bench.measure([task])[0]
