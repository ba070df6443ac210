"""What a person sees: errors, warnings, progress (all on stderr) and kernels drawn with blocks."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from kdcli.errors import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.progress import TaskID
    from rich.text import Text


def error(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    print("kd: error:", one_line(" ".join(message.splitlines())), file=sys.stderr)


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
        message = one_line(message)
        if self._bars:
            self._bars.console.print(f"kd: {message}", markup=False, highlight=False, soft_wrap=True)
        elif not self._quiet:
            print("kd:", message, file=sys.stderr)

    def warn(self, message: str) -> None:
        """One line that starts with 'warning'."""
        self.note(f"warning: {message}")


def print_kernel(kernel: NDArray[np.float32], caption: str, *, stderr: bool = False) -> None:
    """Draw a kernel (k, k) in the terminal, in colour if it has some, with a line below."""
    from rich.console import Console

    terminal = Console(highlight=False, markup=False, stderr=stderr)
    terminal.print(draw_kernel(kernel, colour=terminal.color_system is not None))
    terminal.print(caption, soft_wrap=True)


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
