"""Charts as SVG text, coloured by the page that they stand in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

COLOURS = 8
"""The page has so many classes c0, c1, ... that set the colour of a series."""

_WIDTH, _ROW, _MARGIN = 440, 48, 14
_LOG_FROM = 30.0  # positive values whose largest is so many times the smallest get a logarithmic axis


@dataclass(frozen=True)
class Dot:
    """One value of a strip plot: what it says when pointed at, and where a click leads."""

    value: float
    title: str
    link: str


@dataclass(frozen=True)
class _Axis:
    """From a value to its place: `start` to `end` on the page, `low` to `high` in the data."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        scale: Callable[[float], float] = math.log10 if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            every = math.ceil(len(powers) / 6)
            steps = [1.0, 2.0, 5.0] if len(powers) <= 4 else [1.0]
            if self.high < 10 * self.low:
                steps = [float(step) for step in range(1, 10)]
            marks = [step * 10.0**power for power in powers[::every] for step in steps]
        else:
            rough = (self.high - self.low) / 5
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(power * by for by in (1, 2, 5, 10) if power * by >= rough * 0.999)
            first = math.ceil(self.low / step - 1e-9)
            marks = [step * index for index in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [mark for mark in marks if self.low * 0.999999 <= mark <= self.high * 1.000001 or mark == 0]


def strip_plot(rows: Sequence[tuple[str, Sequence[Dot]]]) -> str:
    """Every value a dot, a row a method, over a bar from the first to the third quartile and a median line.

    Args:
        rows: a name and its dots; values that are not finite are left out. Row i has the colour class
            ``c{i % COLOURS}``.
    """
    finite = [[dot for dot in dots if math.isfinite(dot.value)] for _, dots in rows]
    axis = _axis([dot.value for dots in finite for dot in dots], _MARGIN, _WIDTH - _MARGIN)
    bottom = _ROW * len(rows) + 4
    parts = [_vertical_grid(axis, bottom)]
    for index, ((name, _), dots) in enumerate(zip(rows, finite, strict=True)):
        top = index * _ROW
        parts.append(
            f'<g class="c{index % COLOURS}"><text x="{_MARGIN}" y="{top + 14}">{_short(name)}</text>'
        )
        if dots:
            low, middle, high = np.percentile([dot.value for dot in dots], [25, 50, 75])
            left, centre, right = (axis(float(value)) for value in (low, middle, high))
            parts.append(
                f'<rect class="quartiles" x="{left:.1f}" width="{right - left:.1f}" y="{top + 19}"'
                f' height="26"/>'
                f'<line class="median" x1="{centre:.1f}" x2="{centre:.1f}" y1="{top + 17}" y2="{top + 47}"/>'
            )
        for place, dot in enumerate(dots):
            # Steps of the golden ratio spread dots evenly without chance.
            y = top + 22 + 20 * ((place * 0.6180339887) % 1)
            parts.append(
                f'<a href="{escape(dot.link)}"><circle cx="{axis(dot.value):.1f}" cy="{y:.1f}" r="3.2">'
                f"<title>{escape(dot.title)}</title></circle></a>"
            )
        parts.append("</g>")
    return _svg(parts, bottom + 22)


def curve_plot(rows: Sequence[tuple[str, Sequence[Sequence[float]]]], height: int = 260) -> str:
    """Curves over the steps of a process: each faint, and the median of each method's in full colour.

    Curves of different lengths are stretched to the longest, for they are different numbers of steps from
    the same start to the same end. The vertical axis is logarithmic where all values are positive and the
    largest is at least twice the smallest.

    Args:
        rows: a name and its curves, or none. Row i has the colour class ``c{i % COLOURS}``.
        height: in pixels, without the names.
    """
    steps = max((len(curve) for _, curves in rows for curve in curves), default=0)
    stretched = [[_stretch(curve, steps) for curve in curves if len(curve) > 1] for _, curves in rows]
    values = [float(v) for curves in stretched for curve in curves for v in curve if math.isfinite(v)]
    top = 20 * sum(map(bool, stretched)) + 8
    up = _axis(values, top + height, top, log_from=2.0)
    along = _Axis(0, max(steps - 1, 1), 56, _WIDTH - _MARGIN, False)
    parts = [f'<g class="grid">{_marks_left(up)}</g>']
    for mark in along.ticks():
        if mark == int(mark):
            x = along(mark)
            parts.append(f'<text class="tick" x="{x:.1f}" y="{top + height + 16}">{mark:.0f}</text>')
    line = 14
    for index, ((name, _), curves) in enumerate(zip(rows, stretched, strict=True)):
        if curves:
            parts.append(f'<g class="c{index % COLOURS}"><text x="56" y="{line}">{_short(name)}</text>')
            parts += [f'<path class="curve" d="{_path(curve, along, up)}"/>' for curve in curves]
            parts.append(f'<path class="middle" d="{_path(np.median(curves, axis=0), along, up)}"/></g>')
            line += 20
    return _svg(parts, top + height + 24)


def _axis(values: Sequence[float], start: float, end: float, log_from: float = _LOG_FROM) -> _Axis:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low > 0 and high / low >= log_from and high > low:
        return _Axis(low / 1.1, high * 1.1, start, end, True)
    room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.1
    return _Axis(low - room, high + room, start, end, False)


def _vertical_grid(axis: _Axis, bottom: float) -> str:
    marks = [(axis(mark), f"{mark:.6g}") for mark in axis.ticks()]
    return (
        '<g class="grid">'
        + "".join(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom}"/>'
            f'<text class="tick" x="{x:.1f}" y="{bottom + 16}">{text}</text>'
            for x, text in marks
        )
        + "</g>"
    )


def _marks_left(axis: _Axis) -> str:
    return "".join(
        f'<line x1="56" x2="{_WIDTH - _MARGIN}" y1="{axis(mark):.1f}" y2="{axis(mark):.1f}"/>'
        f'<text class="left" x="50" y="{axis(mark) + 4:.1f}">{mark:.4g}</text>'
        for mark in axis.ticks()
    )


def _stretch(curve: Sequence[float], steps: int) -> NDArray[np.float64]:
    return np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(curve)), np.asarray(curve, np.float64))


def _path(curve: NDArray[np.float64], along: _Axis, up: _Axis) -> str:
    points = [(along(i), up(float(v))) for i, v in enumerate(curve) if math.isfinite(v)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def _short(name: str) -> str:
    return escape(name if len(name) <= 56 else name[:55] + "…")


def _svg(parts: Sequence[str], height: float) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img">{"".join(parts)}</svg>'
