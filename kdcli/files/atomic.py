"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from kdcli.errors import KdError, UsageError


def write_atomically(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` beside `path` under a temporary name, then move it into place in one step.

    Whatever happens, `path` holds either what it held before or all of `data`. A link is followed, so
    that the file it points to is the one replaced.

    Raises:
        UsageError: `path` exists and `overwrite` is false.
        KdError: the system refused: disk full, no permission, folder gone.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already: choose another name or add --overwrite")
    target = path.resolve()
    temporary = target.parent / f".kd-{secrets.token_hex(8)}.part"
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise KdError(f"cannot write {path}: {reason}: check the folder and the free space") from error
