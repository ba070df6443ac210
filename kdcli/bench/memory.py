"""The most memory that a piece of work holds."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from kdcli.memory import give_back_freed_memory


class PeakMemory:
    """The most memory that this process has held since this was made.

    It is the graphics card's where networks are on one, and else the resident memory of the whole process,
    libraries and weights included. Only Linux can start that count anew; elsewhere it is not known, for the
    most since the process began would be laid at the door of whatever runs last.

    Args:
        device: where networks are, if there are any.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" and torch.cuda.is_initialized() else None
        self._known = True
        if self._device is not None:
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        give_back_freed_memory()
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # see proc(5)
        except OSError:
            self._known = False

    def mebibytes(self) -> float | None:
        """In MiB; None where it is not known."""
        if self._device is not None:
            return torch.cuda.max_memory_allocated(self._device) / 2**20
        if not self._known:
            return None
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        found = re.search(r"VmHWM:\s*(\d+) kB", status)
        return int(found[1]) / 2**10 if found else None
