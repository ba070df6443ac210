"""Charts can be read: there are marks beside them, whatever the range of the values."""

from __future__ import annotations

import re

import pytest

from kdcli.bench.charts import curve_plot


@pytest.mark.parametrize("low", [1e-6, 2.8e-4, 0.9, 7.0, 300.0])
@pytest.mark.parametrize("ratio", [1.0, 1.2, 1.9, 2.1, 5.0, 30.0, 1e4])
def test_curves_have_marks_beside_them(low: float, ratio: float) -> None:
    drawn = curve_plot([("kd", [[low * ratio, low]])])
    marks = [float(mark) for mark in re.findall(r'class="left"[^>]*>([^<]*)<', drawn)]
    assert 2 <= len(marks) <= 16
    assert all(low * 0.85 <= mark <= low * ratio * 1.15 for mark in marks if ratio > 1)


def test_the_start_of_a_falling_curve_is_above_its_end() -> None:
    (first, *_, last) = re.findall(r"[ML]([\d.]+) ([\d.]+)", curve_plot([("kd", [[5e-4, 4e-4, 2e-4]])]))
    assert float(first[0]) < float(last[0])
    assert float(first[1]) < float(last[1])  # downwards on the page
