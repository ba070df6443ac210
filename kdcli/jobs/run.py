"""The local engine: jobs one after another here, or several at once in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kdcli.files.atomic import sweep
from kdcli.jobs.job import Job, Result, Settings
from kdcli.jobs.worker import Progress, Worker
from kdcli.processes import Died, run_in_processes


def run_jobs(
    jobs: Sequence[Job],
    settings: Settings,
    *,
    processes: int = 1,
    each: Callable[[Result], None],
    progress: Progress | None = None,
) -> None:
    """Do all jobs; one that fails does not keep the others from being done.

    Results depend on `processes`, since the cores that a process computes with round differently in number;
    they do not depend on how many jobs there are, so that an interrupted run can be taken up.

    Args:
        processes: how many share the cores; 1 works here.
        each: called with every result as it comes, here and in no order.
        progress: called with the stages of a job, where jobs are done here.

    Raises:
        UsageError, KdError: the device or the weights can't be had.
    """
    if not jobs:
        return
    if processes > 1:
        _run_in_processes(jobs, settings, processes, each)
        return
    worker = Worker(settings)
    worker.models(progress)  # what is wrong with them is wrong for all jobs
    for result in worker.attempt_all(jobs, progress):
        each(result)


def _run_in_processes(
    jobs: Sequence[Job], settings: Settings, processes: int, each: Callable[[Result], None]
) -> None:
    try:
        for job, result in run_in_processes(jobs, partial(_start, settings), processes):
            if isinstance(result, Died):
                result = Result(job, "failed", message=f"{job.input}: {result.reason}")
            each(result)
    finally:
        sweep_all(jobs)


def sweep_all(jobs: Sequence[Job]) -> None:
    """Remove what killed processes left unfinished of their outputs."""
    for folder in {path.parent for job in jobs for path in job.files if isinstance(path, Path)}:
        sweep(folder)


def _start(settings: Settings) -> Callable[[Job], Result]:
    worker = Worker(settings)
    worker.models()
    return worker.attempt
