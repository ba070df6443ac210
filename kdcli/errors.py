"""The errors that a user can mend. Each message is one line: what is wrong, and what to do."""

from __future__ import annotations


class KdError(Exception):
    """Something that failed while working; the command line ends with exit code 1."""

    exit_code = 1


class UsageError(KdError):
    """Something asked for that cannot be done as asked; the command line ends with exit code 2."""

    exit_code = 2
