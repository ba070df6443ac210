"""How the threads of a process of kd's own wait for each other."""

from __future__ import annotations

import os

_SPINS = "1000"  # of GNU's OpenMP, before a thread that waits sleeps; by default millions


def wait_without_spinning() -> None:
    """Let threads that wait for others leave their core to whoever has work.

    They wait many thousand times a photo, and on cores that others use as well what they wait for is a thread
    that isn't running: 16 instead of more than 60 seconds beside two busy processes, and no slower alone. To
    be called before torch is imported; what the user has set stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
