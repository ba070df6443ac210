"""How long the stages of a job take."""

from __future__ import annotations

import time


class Stopwatch:
    """Seconds by stage, and in all; the first lap starts when it is made."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Book the time since the last lap under `stage`."""
        now = time.perf_counter()
        self._stages[stage] = now - self._last
        self._last = now

    def add(self, stages: dict[str, float]) -> None:
        """Book stages that were timed elsewhere; the next lap starts now."""
        self._stages.update(stages)
        self._last = time.perf_counter()

    def seconds(self) -> dict[str, float]:
        """Every stage in order, then the total, to a millisecond."""
        total = sum(self._stages.values())
        return {stage: round(value, 3) for stage, value in {**self._stages, "total": total}.items()}
