"""How far a run over many photos has come: one bar on a terminal, a line a photo elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from kdcli.cli import console
from kdcli.errors import one_line

if TYPE_CHECKING:
    from kdcli.jobs.job import Result


class Pace:
    """The rate of a run, and how long it will take."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self._start = self._last = time.monotonic()

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        self._last = time.monotonic()

    def __str__(self) -> str:
        if not self.done:
            return ""
        each = (self._last - self._start) / self.done
        rate = f"{60 / each:.1f} a minute" if each > 1 else f"{1 / max(each, 1e-3):.1f} a second"
        left = each * self.total - (time.monotonic() - self._start)
        return f"{rate}, {clock(left)} left"

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Total:
    """Progress of a run, its warnings, and at the end its failures. Use it as a context manager.

    Args:
        count: of the photos to do.
        skipped: how many were there before.
        quiet: print failures only.
    """

    def __init__(self, count: int, *, skipped: int = 0, quiet: bool = False) -> None:
        self.failures: list[str] = []
        self._quiet, self._pace = quiet, Pace(count)
        self._counts = Counter(skipped=skipped)
        self._bar: Progress | None = None
        if not quiet and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _PaceColumn(self._pace),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("deblur", total=count)

    def __enter__(self) -> Total:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        for failure in self.failures:
            console.error(failure)
        if value is None or isinstance(value, KeyboardInterrupt):
            self._note(self._summary(interrupted=value is not None))

    def stage(self, stage: str, fraction: float) -> None:
        """Say that `fraction` (0 to 1) of a stage of the present photo is done."""
        if self._bar:
            self._bar.update(self._task, description=f"{stage} {fraction:4.0%}")

    def each(self, result: Result) -> None:
        """Say what became of a photo."""
        self._pace.step()
        self._counts[result.status] += 1
        for warning in result.warnings:
            self.warn(_named(str(result.job.input), warning))
        if result.status == "failed":
            self.failures.append(result.message)
        if self._bar:
            self._bar.update(self._task, completed=self._pace.done)
            return
        became = (
            f"{result.job.input} failed"
            if result.status == "failed"
            else f"{result.job.output} written (kernel {result.kernel_width} px wide, "
            f"{result.seconds['total']:.1f} s)"
        )
        self._note(f"{self._pace.done}/{self._pace.total} {became}; {self._pace}")

    def warn(self, message: str) -> None:
        """One line that starts with 'warning'."""
        self._note(f"warning: {message}")

    def _note(self, message: str) -> None:
        line = one_line(f"kd: {message}")
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif not self._quiet:
            print(line, file=sys.stderr)

    def _summary(self, *, interrupted: bool) -> str:
        counts = self._counts
        parts = [f"{counts['done']} of {self._pace.total + counts['skipped']} photos written"]
        parts += [f"{counts['skipped']} there already"] if counts["skipped"] else []
        parts += [f"{counts['failed']} failed"] if counts["failed"] else []
        hint = "; --skip-existing takes it up from here" if interrupted else ""
        return f"{', '.join(parts)} ({clock(self._pace.elapsed)}){hint}"


def _named(photo: str, warning: str) -> str:
    """A warning with the whole name of its photo, which notes on the file begin with in short."""
    short = f"{PurePath(photo).name} "
    return photo + warning[len(short) - 1 :] if warning.startswith(short) else f"{photo}: {warning}"


class _PaceColumn(ProgressColumn):
    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def render(self, task: Task) -> Text:
        return Text(str(self._pace))
