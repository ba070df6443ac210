"""What does jobs in a process of a Ray cluster."""

from __future__ import annotations

import os
import pickle
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kdcli._version import __version__
from kdcli.debug import hush_libraries
from kdcli.errors import KdError, explain
from kdcli.jobs.job import Job, Result, Settings
from kdcli.jobs.worker import Worker
from kdcli.memory import keep_freed_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

Batch = dict[str, "NDArray[Any]"]


class RayWorker:
    """Does jobs in batches of Ray Data, with networks that are loaded once.

    Jobs and answers travel pickled: an answer is a `Result`, or the error for which there will be none.

    Args:
        settings: of the run.
        folder: the one that paths are relative to.
        processes: how many split the cores of this machine; None if Ray tells each its own.
        threads: what the user has set OMP_NUM_THREADS to, where Ray does not tell.
        version: of the kd that sends the jobs.
    """

    def __init__(
        self, settings: Settings, folder: str, processes: int | None, threads: str | None, version: str
    ) -> None:
        hush_libraries()
        keep_freed_memory()
        with suppress(OSError):  # other machines need not have it for what lies behind URLs
            os.chdir(folder)
        # A job is done again if its worker was killed, perhaps just after the output had been written.
        # Whether there was one before has been asked before the run.
        self._worker = Worker(replace(settings, overwrite=True))
        self._refusal: KdError | None = None
        try:
            if version != __version__:
                raise KdError(f"the Ray cluster has kd {__version__}, this is {version}: install the same")
            if processes is not None:
                _split_cores(processes, threads)
            self._worker.models()
        except Exception as error:
            self._refusal = _told(error)

    def __call__(self, batch: Batch) -> Batch:
        """Rows of `number` and `job` become rows of `number` and `answer`."""
        jobs: list[Job] = [pickle.loads(job) for job in batch["job"]]
        answers: dict[Job, Result | KdError]
        try:
            if self._refusal is not None:
                raise self._refusal
            answers = {result.job: result for result in self._worker.attempt_all(jobs)}
        except Exception as error:
            answers = dict.fromkeys(jobs, _told(error))
        return {
            "number": batch["number"],
            "answer": np.array([pickle.dumps(answers[job]) for job in jobs], object),
        }


def _told(error: Exception) -> KdError:
    """What can be sent: Ray's machine need not know another's classes of errors."""
    return error if isinstance(error, KdError) else KdError(explain(error))


def _split_cores(processes: int, threads: str | None) -> None:
    """As the local engine does, since results depend on the number of threads."""
    if threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)  # which Ray has set
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
