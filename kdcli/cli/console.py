"""What a person sees: errors, warnings, progress (all on stderr) and kernels drawn with blocks."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.progress import TaskID
    from rich.text import Text


def error(message: str) -> None:
    """One line on stderr, whatever line breaks the message has."""
    print("kd: error:", *message.split(), file=sys.stderr)


class Reporter:
    """Progress, notes and warnings of one run: a bar a stage on a terminal, plain lines elsewhere.

    Use it as a context manager and call it as `progress(stage, fraction)`.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._plain: dict[str, int] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

            self._bars = Progress(
                TextColumn("{task.description:>10}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )

    def __enter__(self) -> Reporter:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, stage: str, fraction: float) -> None:
        """Say that `fraction` (0 to 1) of `stage` is done."""
        if self._bars:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=1.0)
            self._bars.update(self._tasks[stage], completed=fraction)
        elif not self._quiet:
            quarter = int(4 * fraction)
            if quarter > self._plain.get(stage, -1):
                self._plain[stage] = quarter
                self.note(f"{stage} {25 * quarter}%")

    def note(self, message: str) -> None:
        """One plain line, above the bars."""
        if self._bars:
            self._bars.console.print(f"kd: {message}", markup=False, highlight=False, soft_wrap=True)
        elif not self._quiet:
            print("kd:", message, file=sys.stderr)

    def warn(self, message: str) -> None:
        """One line that starts with 'warning'."""
        self.note(f"warning: {message}")


class Stopwatch:
    """Seconds by stage, and in all since it was made."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
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
        total = time.perf_counter() - self._start
        return {stage: round(value, 3) for stage, value in {**self._stages, "total": total}.items()}


def draw_kernel(kernel: NDArray[np.float32], *, colour: bool) -> Text:
    """A kernel (k, k), cropped to its support, two pixels a character.

    With colours every pixel has its grey; without, the pixels above a fifth of the peak are filled.
    """
    import numpy as np
    from rich.style import Style
    from rich.text import Text

    level = np.asarray(kernel, np.float64) / max(float(kernel.max()), 1e-12)
    rows, columns = (np.flatnonzero((level > 0.02).any(axis)) for axis in (1, 0))
    if rows.size == 0:
        return Text("(empty)")
    level = level[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    level = np.pad(level, ((0, len(level) % 2), (0, 0))).clip(0, 1)
    text = Text(no_wrap=True)
    for upper, lower in zip(level[::2], level[1::2], strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            if colour:
                # The square root lifts the faint ends of a trajectory into sight.
                front, back = (round(255 * float(value) ** 0.5) for value in (top, bottom))
                style = Style(color=f"rgb({front},{front},{front})", bgcolor=f"rgb({back},{back},{back})")
                text.append("▀", style)
            else:
                text.append(" ▀▄█"[int(top > 0.2) + 2 * int(bottom > 0.2)])
        text.append("\n")
    text.rstrip()
    return text
