"""The bytes of a file that a user named: of a file, and of no more than a photo can have."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from kdcli.errors import KdError, UsageError
from kdcli.files.place import Place

_PIECE = 1 << 24


def largest_file(max_pixels: int) -> int:
    """How many bytes a photo of so many pixels may take: four 64-bit samples each, and some for the rest."""
    return 32 * max_pixels + (1 << 26)


def read_bytes(path: Place, most: int) -> bytes:
    """All bytes of the file at `path`.

    Raises:
        UsageError: it is a pipe, a device or a socket, which might never end, or a folder.
        KdError: more than `most` bytes, or the system refused.
    """
    if not isinstance(path, Path):
        from kdcli.files import remote

        return remote.read(path, most)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # merely to open a pipe may take for ever
            raise UsageError(f"{path} is no file but a pipe or device: name a file, or pipe it into kd -")
        if status.st_size > most:
            raise KdError(f"{path}: {_too_much(status.st_size, most)}")
        return path.read_bytes()
    except OSError as error:
        raise KdError(f"cannot read {path}: {error.strerror or error}: copy it again") from error


def read_stream(stream: BinaryIO, most: int) -> bytes:
    """All bytes that come from a pipe.

    Raises:
        KdError: more than `most`.
    """
    pieces, size = [], 0
    while piece := stream.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise KdError(_too_much(size, most))
    return b"".join(pieces)


def _too_much(size: int, most: int) -> str:
    return f"{size >> 20} MiB or more, and what kd reads here has at most {most >> 20}"
