"""Ctrl-C ends kd in time, wherever it is."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
_PATIENCE = 1.2
"""Seconds that an interrupted command may take to end by itself."""


@contextmanager
def leave_in_time() -> Iterator[None]:
    """Inside, the process ends at the latest 1.2 seconds after Ctrl-C, its unfinished files removed.

    Python raises KeyboardInterrupt as soon as the call that it is in returns, and compressing a large photo
    is one call of many seconds. The number of a signal, though, is written to a socket at once, and a thread
    can wait for it there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    inner, outer = socket.socketpair()
    outer.setblocking(False)
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(inner, ended), daemon=True)
    watcher.start()
    before = signal.set_wakeup_fd(outer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        outer.close()
        watcher.join()
        inner.close()


def _watch(numbers: socket.socket, ended: threading.Event) -> None:
    while received := numbers.recv(16):
        if signal.SIGINT in received:
            if not ended.wait(_PATIENCE):
                _leave()
            return


def _leave() -> None:
    from kdcli.files.atomic import discard_unfinished

    discard_unfinished()
    show_cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # a progress bar hides it
    print(f"{show_cursor}kd: error: interrupted", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)
