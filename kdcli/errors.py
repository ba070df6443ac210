"""The errors that a user can mend. Each message is one line: what is wrong, and what to do."""

from __future__ import annotations


class KdError(Exception):
    """Something that failed while working; the command line ends with exit code 1."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class UsageError(KdError):
    """Something asked for that cannot be done as asked; the command line ends with exit code 2."""

    exit_code = 2


def one_line(text: str) -> str:
    """The text with everything that cannot be printed spelled out.

    A file's name may hold line breaks, commands to the terminal, and bytes that are no characters at all.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def explain(error: BaseException) -> str:
    """One line on whatever went wrong: what a `KdError` says, or what can be said about another error."""
    if isinstance(error, KdError):
        return str(error)
    # Told by name and text, since naming torch's class would import torch.
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    ):
        return "out of memory: close other programs, scale the photo down, or try --device cpu"
    return one_line(
        f"unexpected {type(error).__name__}: {' '.join(str(error).split())} (KD_DEBUG=1 shows where)"
    )
