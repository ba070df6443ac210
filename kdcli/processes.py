"""Tasks in several processes, of which any may be killed without harm to the others.

A process pool of the standard library breaks when one of its processes is killed, which is how a system
short of memory helps itself; and its processes outlive a parent that was killed. These do neither.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar, cast

from kdcli.debug import hush_libraries
from kdcli.errors import KdError, explain
from kdcli.memory import keep_freed_memory

T = TypeVar("T")
R = TypeVar("R")

_READY = "ready"
_PATIENCE = 2.0  # seconds that a process has to end by itself


@dataclass(frozen=True)
class Died:
    """In place of an answer: the process that was to give it was killed.

    Attributes:
        reason: one line.
    """

    reason: str


@dataclass
class _Hand(Generic[T]):
    """A process at work.

    Attributes:
        process: the process.
        tasks: the one that it does, or none while it is still getting ready.
    """

    process: BaseProcess
    tasks: list[T]


def run_in_processes(
    tasks: Sequence[T], start: Callable[[], Callable[[T], R]], processes: int
) -> Iterator[tuple[T, R | Died]]:
    """Do tasks in so many processes, each of which has its share of the cores.

    Args:
        tasks: what to do; they are sent to the processes, and so are the answers sent back.
        start: called once in each process; gives what does a task there. It is sent to the processes.
        processes: how many. Answers depend on it, since numbers of threads round differently; they do not
            depend on how many tasks there are, so that an interrupted run can be taken up.

    Yields:
        A task and its answer, in whatever order they end. Close the iterator to end the processes.

    Raises:
        KdError: a process did not get ready.
    """
    waiting = deque(tasks)
    hands: dict[Connection, _Hand[T]] = {}
    try:
        for _ in range(min(processes, len(tasks))):
            _hire(hands, start, processes)
        while hands:
            # On Windows, Ctrl-C waits for a wait to end.
            for connection in cast("list[Connection]", wait(list(hands), timeout=0.5)):
                done = _hear(connection, hands)
                if connection in hands:
                    _assign(connection, hands, waiting)
                elif waiting:
                    _hire(hands, start, processes)
                yield from done
    finally:
        _dismiss([hand.process for hand in hands.values()])


def _hire(hands: dict[Connection, _Hand[T]], start: Callable[[], Callable[[T], Any]], processes: int) -> None:
    context = get_context("spawn")  # a forked process would share torch's threads, which do not survive it
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, start, processes), daemon=True)
    with _deaf_to_interrupts():
        process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    hands[ours] = _Hand(process, [])


def _hear(connection: Connection, hands: dict[Connection, _Hand[T]]) -> list[tuple[T, Any]]:
    """What a process has to say: that it is ready, an answer, or nothing any more, being dead."""
    hand = hands[connection]
    try:
        said = connection.recv()
    except (EOFError, OSError):
        del hands[connection]
        hand.process.join()
        reason = f"its process ended with code {hand.process.exitcode}: out of memory? Try fewer --jobs"
        if not hand.tasks:
            raise KdError(f"a process did not get ready: {reason}") from None
        return [(hand.tasks.pop(), Died(reason))]
    if not hand.tasks:
        if said != _READY:
            raise said
        return []
    return [(hand.tasks.pop(), said)]


def _assign(connection: Connection, hands: dict[Connection, _Hand[T]], waiting: deque[T]) -> None:
    """The next task for a process, or its leave."""
    if not waiting:
        connection.close()
        hands.pop(connection).process.join()
        return
    hands[connection].tasks.append(waiting.popleft())
    with suppress(OSError):  # it has just died: the next wait will tell
        connection.send(hands[connection].tasks[0])


def _dismiss(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_PATIENCE)
        process.kill()
        process.join()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C from their first moment: the parent ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, start: Callable[[], Callable[[T], Any]], processes: int) -> None:
    """The life of a process: get ready, then do tasks until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # By an exception, so that a program that is under way here is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    hush_libraries()
    keep_freed_memory()
    try:
        import torch

        torch.set_num_threads(max(1, torch.get_num_threads() // processes))
        do = start()
    except Exception as error:
        connection.send(error if isinstance(error, KdError) else KdError(explain(error)))
        return
    connection.send(_READY)
    with suppress(EOFError, OSError):
        while True:
            connection.send(do(connection.recv()))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE)
        os._exit(1)
