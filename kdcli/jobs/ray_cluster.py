"""A Ray cluster for as long as a run takes: found or started, and silent."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, replace

from kdcli.debug import debugging
from kdcli.errors import KdError, UsageError

_STORE = 256 << 20
"""Bytes of a local instance's object store: jobs and results pass through it, photos do not."""


@dataclass(frozen=True)
class Share:
    """What each of some workers gets of a cluster.

    Attributes:
        workers: how many there are.
        cores: how many of a machine's.
        gpus: 0, 1 or a part of one.
        alone: whether they have this machine to themselves, and split its cores as the local engine does.
    """

    workers: int
    cores: int
    gpus: float = 0.0
    alone: bool = False


def share(cores: list[int], gpus: list[int], workers: int | None) -> Share:
    """Split a cluster among workers, none of which spans two machines, or two GPUs.

    Where there are GPUs, machines without one have no part in it: workers are all alike.

    Args:
        cores, gpus: of each machine; GPUs that must not be used are 0.
        workers: how many; None is one for each GPU, or where there is none one for each machine.
    """
    cards = sum(gpus)
    workers = workers or cards or len(cores)
    on_a_card = -(-workers // cards) if cards else 0
    hosts = [(c, on_a_card * g if cards else c) for c, g in zip(cores, gpus, strict=True) if g or not cards]
    most = max(1, *(count for count, _ in hosts))
    while most > 1 and sum(min(count // most, room) for count, room in hosts) < workers:
        most -= 1
    # Ray counts in ten-thousandths: rounded up, the last worker of a card would find no room.
    return Share(workers, most, 10_000 // on_a_card / 10_000 if cards else 0.0)


@contextmanager
def connected(address: str | None, workers: int | None, device: str) -> Iterator[Share]:
    """Inside, Ray is connected to a cluster.

    Args:
        address: of the cluster; None is the one that RAY_ADDRESS names, or else an instance of this machine
            alone, which ends with the run.
        workers: see `share`; on this machine alone, None is 1.
        device: whether GPUs are used: "auto", "cpu" or "cuda".

    Raises:
        UsageError: Ray is not installed, or there is no such cluster, or it has no GPU and must.
        KdError: Ray could not be started.
    """
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: Ray hands the GPUs out itself: use cuda")
    _prepare()
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray: pip install 'kdcli[ray]' ({error})") from None
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    alone = address == "local"
    try:
        _connect(address, max(workers or 1, os.cpu_count() or 1) if alone else None)
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = [0 if device == "cpu" else int(machine.get("GPU", 0)) for machine in machines]
        if device == "cuda" and not any(gpus):
            raise UsageError("--device cuda: this Ray cluster has no GPU: use auto or cpu")
        cores = [int(machine.get("CPU", 0)) for machine in machines]
        yield replace(share(cores, gpus, workers or (1 if alone else None)), alone=alone)
    except KeyboardInterrupt:
        _end_children()
        raise
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def _connect(address: str, cores: int | None) -> None:
    """Find the cluster at `address`, or start an instance of this machine with so many `cores`."""
    import ray

    if cores is None:
        _check_answers(address)
    level = logging.INFO if debugging() else logging.CRITICAL
    logging.getLogger("ray.data").setLevel(level)
    try:
        with _hushed():
            ray.init(
                address,
                num_cpus=cores,
                object_store_memory=None if cores is None else _STORE,
                include_dashboard=None if cores is None else False,
                log_to_driver=debugging(),
                logging_level=level,
            )
    except Exception as error:
        if cores is not None:
            raise KdError(f"Ray could not be started: {gist(error)}") from error
        hint = "if the cluster asks for a token, set RAY_AUTH_MODE=token, or use --ray-address auto there"
        raise KdError(f"the Ray cluster at {address} could not be joined: {gist(error)}: {hint}") from error


def _check_answers(address: str) -> None:
    """Ray itself asks an address where nobody answers for ten minutes."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal():
        raise UsageError(f"--ray-address {address}: use HOST:PORT, as `ray start --head` tells it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        reason = f"no Ray cluster answers at {address} ({error.strerror or error}): check --ray-address"
        raise UsageError(reason) from error


def _prepare() -> None:
    """What Ray reads when it is imported: not to call home, to work in earnest, and to be silent."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_worker_niceness", "0")  # of 15, they would wait for everything else here
    if not debugging():
        os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
        os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # of what it would print on stdout about its workers


def _end_children() -> None:
    """End what Ray has started here at once: its own way takes seconds, more than an interrupted run has."""
    import psutil  # type: ignore[import-untyped,unused-ignore]  # Ray brings it

    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()


@contextmanager
def _hushed() -> Iterator[None]:
    """Unless debugging, without the line that Ray's C++ writes about having been told to be silent."""
    if debugging():
        yield
        return
    with (
        open(os.dup(2), "w", encoding="utf-8", errors="backslashreplace") as stderr,
        open(os.devnull, "w") as nowhere,
    ):
        os.dup2(nowhere.fileno(), 2)
        try:
            with redirect_stderr(stderr):  # which Python keeps, for what else may have to be said
                yield
        finally:
            os.dup2(stderr.fileno(), 2)


def gist(error: BaseException) -> str:
    """The gist of one of Ray's errors, which run to pages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
