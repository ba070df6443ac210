"""Where a process of kd's own gets its memory from."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's mallopt; -1 switches the first one off.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let new arrays have the memory of old ones instead of fresh pages.

    glibc gets every array above 32 MiB from the kernel and gives it back when it is freed. The kernel clears
    each page on its first use, which made up two fifths of the time of large photos. Elsewhere than with
    glibc nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, -1)
        mallopt(_MMAP_MAX, 0)
