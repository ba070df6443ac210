"""Figures 2 and 5, drawn with matplotlib (``pip install 'kdcli[docs]'``)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kdcli.bench.paper.toy import (
    LENGTH,
    TRUTH,
    Posterior,
    Projection,
    blurred_pulses,
    joint_loss,
    kernel_posterior,
    local_minima,
    observe,
    project,
    seen_at,
)
from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMATS = {".png": {"Software": None}, ".svg": {"Date": None}}  # and what would differ from run to run


def figure2(seed: int) -> Figure:
    """The toy problem: the signals, the joint loss in projection, and what is known of the kernel alone.

    Args:
        seed: of the noise, of the directions and of the descents' starts.
    """
    figure = _figure(13, 4.4)
    signals, surface, kernel = figure.subplots(1, 3)
    y = observe(seed)
    _signals(signals, y)
    _surface(surface, y, project(y, seed), *local_minima(y, seed=seed))
    _posterior(kernel, kernel_posterior(y))
    return figure


def figure5(result: Mapping[str, Any]) -> Figure:
    """The residual over the steps, from a result of ``kd bench`` that has "residuals".

    Raises:
        UsageError: it has none.
    """
    methods = [
        (method["method"], [np.asarray(curve) for image in method["images"] for curve in _curves(image)])
        for method in result["methods"]
    ]
    methods = [(name, curves) for name, curves in methods if curves]
    if not methods:
        raise UsageError("no image has residuals: run kd bench with --residuals, or with guidance")
    figure = _figure(6.5, 4)
    axes = figure.subplots()
    for index, (name, curves) in enumerate(methods):
        steps = max(map(len, curves))
        along = np.linspace(0, 1, steps)
        stretched = [np.interp(along, np.linspace(0, 1, len(curve)), curve) for curve in curves]
        for curve in stretched:
            axes.plot(along, curve, color=f"C{index}", alpha=0.25, linewidth=0.8)
        words = f"{name}, {steps} steps: median of {len(curves)}"
        axes.plot(along, np.median(stretched, axis=0), color=f"C{index}", linewidth=2, label=words)
    axes.set(yscale="log", xlabel="share of the steps", ylabel="mean of (y − k̂₀ ∗ x̂₀)²")
    axes.legend()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG; an older file is replaced.

    Raises:
        UsageError: another suffix.
        KdError: the system refused to write.
    """
    if path.suffix not in _FORMATS:
        raise UsageError(f"{path}: name a file that ends in {' or '.join(_FORMATS)}")
    from matplotlib import rc_context

    data = io.BytesIO()
    with rc_context({"svg.hashsalt": "kd"}):  # else names inside are random
        figure.savefig(data, format=path.suffix[1:], metadata=_FORMATS[path.suffix])
    write_atomically(path, data.getvalue(), overwrite=True)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise KdError("figures need matplotlib: install it with pip install 'kdcli[docs]'") from error
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def _curves(image: Mapping[str, Any]) -> Sequence[Sequence[float]]:
    return [curve for curve in image.get("residuals") or () if len(curve) > 1]


def _signals(axes: Axes, y: torch.Tensor) -> None:
    places = np.arange(LENGTH) + 0.5
    sharp = TRUTH * torch.tensor([1.0, 1.0, 0.0])
    axes.plot(places, y, color="0.6", linewidth=1, label="y")
    axes.step(places, blurred_pulses(sharp), where="mid", color="C0", label="x(64, 10)")
    axes.plot(places, blurred_pulses(TRUTH), color="C3", label="k ∗ x, σ = 1.5")
    axes.set(title="the signal", xlabel="place")
    axes.legend(loc="upper left")


def _surface(
    axes: Axes, y: torch.Tensor, seen: Projection, minima: torch.Tensor, counts: torch.Tensor
) -> None:
    from matplotlib.colors import LogNorm

    loss = seen.loss.where(seen.loss.isfinite(), torch.nan).numpy()
    corners = (float(seen.low[0]), float(seen.high[0]), float(seen.low[1]), float(seen.high[1]))
    norm = LogNorm(np.nanmin(loss), np.nanmax(loss))
    # Rows go along the first direction, which points to the right.
    drawn = axes.imshow(loss.T, norm=norm, origin="lower", extent=corners, aspect="auto")
    axes.get_figure(root=True).colorbar(drawn, ax=axes)  # type: ignore[union-attr]
    right, up = seen_at(minima, seen.directions).T
    heights = joint_loss(y, minima)
    for first, last, mark, size, what in ((0, 1, "*", 200, "the lowest"), (1, None, "o", 40, "others")):
        part = slice(first, last)
        words = f"{what} ({len(minima[part])}): {int(counts[part].sum())} of {int(counts.sum())} descents"
        style = {"s": size, "marker": mark, "edgecolors": "C1", "linewidths": 1.5}
        axes.scatter(right[part], up[part], c=heights[part], norm=norm, label=words, **style)  # type: ignore[arg-type]
    axes.set(title="−log p(a, w, σ | y) and its local minima", xlabel="along d₁", ylabel="along d₂")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)


def _posterior(axes: Axes, posterior: Posterior) -> None:
    axes.plot(posterior.spreads, posterior.exact, color="C0", label="exact: all pulses")
    axes.plot(posterior.spreads, posterior.solver, "--", color="C1", label="with the solver's pulse")
    axes.axvline(float(TRUTH[2]), color="C3", linewidth=1, label="truth")
    axes.set(title="−log p(σ | y)", xlabel="σ")
    axes.legend()
