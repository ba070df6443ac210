"""Photos from stdin and to stdout."""

from __future__ import annotations

import os
import sys

from kdcli.errors import KdError, UsageError
from kdcli.files.read_bytes import read_stream


def check_pipes(*, reading: bool, writing: bool) -> None:
    """Make sure that photos come from a pipe and go to one.

    Raises:
        UsageError: a person sits at the other end.
    """
    if reading and sys.stdin.isatty():
        raise UsageError("- reads a photo from stdin, which is a terminal: pipe one into kd")
    if writing and sys.stdout.isatty():
        raise UsageError("the photo would go to the terminal: pipe it on, or name a file with -o")


def read_stdin(most: int) -> bytes:
    """Everything that comes from stdin.

    Raises:
        KdError: that is nothing, or more than `most` bytes.
    """
    data = read_stream(sys.stdin.buffer, most)
    if not data:
        raise KdError("stdin is empty: did the program before kd fail?")
    return data


def write_stdout(data: bytes) -> None:
    """Write to stdout, of which nothing else may have been written.

    Raises:
        KdError: whoever reads it has gone, or the system refused.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left in the buffer would be tried once more at exit, with a complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise KdError(f"cannot write to stdout: {error.strerror or error}") from error
