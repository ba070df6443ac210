"""Pictures of the toy problem and of the residuals."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.bench.paper import figures
from kdcli.bench.paper.figures import figure2, figure5, save
from kdcli.errors import KdError, UsageError
from tests.bench.paper.conftest import with_curves

TITLES = ("the signal", "−log p(a, w, σ | y)", "−log p(σ | y)")


def test_figure_2_shows_signal_surface_and_posterior(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(figures, "project", partial(figures.project, size=30))
    monkeypatch.setattr(figures, "local_minima", partial(figures.local_minima, starts=20))
    monkeypatch.setattr(figures, "kernel_posterior", partial(figures.kernel_posterior, size=13, step=0.5))
    figure = figure2(seed=3)
    signal, surface, kernel = (next(a for a in figure.axes if a.get_title().startswith(t)) for t in TITLES)
    assert len(signal.lines) == 3
    assert np.isfinite(surface.images[0].get_array().filled(np.nan)).mean() > 0.3
    lowest, others = (text.get_text() for text in surface.get_legend().get_texts())
    found = [int(re.fullmatch(r".*: (\d+) of 20 descents", text)[1]) for text in (lowest, others)]
    assert sum(found) == 20
    exact, solver, truth = (line.get_xydata() for line in kernel.lines)
    assert len(exact) == len(solver) == 13
    assert truth[0, 0] == 1.5
    save(figure, tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.size == (1560, 528)


def test_figure_5_draws_every_curve_and_the_median() -> None:
    made = with_curves(("kd", [[8.0, 4.0, 2.0], [6.0, 2.0, 1.0], [7.0, 1.0, 3.0]]), ("kd:fast", [[5.0, 3.0]]))
    (axes,) = figure5(made).axes
    assert len(axes.lines) == 3 + 1 + 1 + 1
    np.testing.assert_array_equal(axes.lines[3].get_xydata(), [[0, 7], [0.5, 2], [1, 2]])
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["kd, 3 steps: median of 3", "kd:fast, 2 steps: median of 1"]
    assert axes.get_yscale() == "log"


def test_a_result_without_residuals() -> None:
    with pytest.raises(UsageError, match="run kd bench with --residuals"):
        figure5(with_curves(("identity", []), ("kd", [[1.0]])))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_is_the_same_every_time(tmp_path: Path, suffix: str) -> None:
    written = []
    for name in ("a", "b"):
        save(figure5(with_curves(("kd", [[2.0, 1.0]]))), tmp_path / (name + suffix))
        written.append((tmp_path / (name + suffix)).read_bytes())
    assert written[0] == written[1]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.png or \.svg"):
        save(figure5(with_curves(("kd", [[2.0, 1.0]]))), tmp_path / "f.doc")


def test_what_is_missing_without_matplotlib_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(KdError, match=r"pip install 'kdcli\[docs\]'"):
        figure5(with_curves(("kd", [[2.0, 1.0]])))
