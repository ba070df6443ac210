"""The Ray engine: jobs on a Ray cluster, or on an instance of Ray on this machine."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from kdcli._version import __version__
from kdcli.errors import KdError, UsageError
from kdcli.jobs.job import Job, Result, Settings
from kdcli.jobs.ray_cluster import Share, connected, gist
from kdcli.jobs.ray_worker import RayWorker
from kdcli.jobs.run import sweep_all
from kdcli.jobs.worker import GPU_BATCH, Progress

ATTEMPTS = 3
"""How many workers may be killed over a photo before it is given up."""


def run_jobs_on_ray(
    jobs: Sequence[Job],
    settings: Settings,
    *,
    workers: int | None = None,
    address: str | None = None,
    each: Callable[[Result], None],
    progress: Progress | None = None,
) -> None:
    """Do all jobs, as `kdcli.jobs.run.run_jobs` does; what a killed worker was doing, another does again.

    Args:
        workers: how many; None is one for each GPU or machine of a cluster, and one on this machine alone.
        address: of the cluster; None is what RAY_ADDRESS says, or else an instance of Ray on this machine.
        each: called with every result as it comes, here and in no order.
        progress: not called, since the jobs are done elsewhere.

    Raises:
        UsageError: Ray is not installed, no cluster answers, or it cannot do these jobs.
        KdError: the cluster failed, or the device or the weights can't be had there.
    """
    if not jobs:
        return
    _check_places(jobs)
    waiting = dict(enumerate(jobs))
    out = sys.stdout
    try:
        # What Ray has to say, it says on stdout, which is for results.
        with redirect_stdout(sys.stderr), connected(address, workers, settings.device) as share:
            batch = settings.batch or (GPU_BATCH if share.gpus else 1)
            for size in sorted({batch, 1}, reverse=True):  # what a deadly photo took along is done by itself
                for number, answer in _answers(dict(waiting), settings, share, size):
                    if isinstance(answer, KdError):
                        raise answer
                    del waiting[number]
                    with redirect_stdout(out):
                        each(answer)
    finally:
        sweep_all(jobs)
    for job in waiting.values():
        reason = f"{ATTEMPTS} workers ended over it: out of memory? Try fewer --jobs (KD_DEBUG=1 tells more)"
        each(Result(job, "failed", message=f"{job.input}: {reason}"))


def _check_places(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.input is None or job.output is None:
            raise UsageError("--engine ray has no stdin and stdout: name files, or use --engine local")
        for place in (job.input, *job.files):
            if not isinstance(place, Path) and place.protocol == "memory":
                raise UsageError(f"{place} lies in the memory of this process, where no worker can see it")


def _answers(
    jobs: dict[int, Job], settings: Settings, share: Share, batch: int
) -> Iterator[tuple[int, Result | KdError]]:
    """The numbers of jobs and what became of them, without those that were given up."""
    if not jobs:
        return
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # given up, without harm to the others
    rows = [{"number": number, "job": pickle.dumps(job)} for number, job in jobs.items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that max_task_retries will have another place
        answers = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            RayWorker,
            fn_constructor_kwargs={
                "settings": settings,
                "folder": os.getcwd(),
                "processes": share.workers if share.alone else None,
                "threads": os.environ.get("OMP_NUM_THREADS"),
                "version": __version__,
            },
            batch_size=batch,
            # A queue behind a deadly photo would die with it.
            compute=ray.data.ActorPoolStrategy(size=share.workers, max_tasks_in_flight_per_actor=1),
            num_cpus=share.cores,
            num_gpus=share.gpus,
            max_task_retries=ATTEMPTS - 1,
        )
    try:
        for block in answers.iter_batches(batch_size=None, prefetch_batches=0):
            for number, answer in zip(block["number"], block["answer"], strict=True):
                yield int(number), pickle.loads(answer)
    except Exception as error:
        raise KdError(f"the Ray cluster failed: {gist(error)}") from error
