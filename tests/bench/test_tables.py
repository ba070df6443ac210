"""Results in the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from rich.console import Console

from kdcli.bench import tables


def result(**first: Any) -> dict[str, Any]:
    """Two methods on two images; the second method fails on one."""
    a = {"name": "a.png", "psnr": 20.0, "psnr_input": 20.0, "mnc": None, "seconds": 1.5, **first}
    b = {"name": "b, c.png", "psnr": 24.0, "psnr_input": 24.0, "seconds": 0.5}
    kd = {"name": "a.png", "psnr": 25.25, "psnr_input": 20.0, "mnc": 0.8, "error_ratio": 2.5}
    methods = [
        {"method": "identity", "images": [a, b], "mean": {"psnr": 22.0}, "failed": []},
        {"method": "kd", "images": [kd], "failed": [{"name": "b, c.png", "error": "no"}]},
    ]
    return {"dataset": "demo", "methods": methods}


def printed(renderable: Any, width: int = 80) -> str:
    """What a terminal shows."""
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def row(text: str, title: str) -> list[str]:
    """The cells of the first row with that title."""
    rows = ([cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines())
    return next(cells[1:] for cells in rows if cells and cells[0] == title)


def test_the_table_has_means_shares_and_differences() -> None:
    text = printed(tables.render(result()))
    assert "demo: 2 images, means" in text
    assert row(text, "PSNR (dB)") == ["22.00", "25.25"]
    assert row(text, "MNC") == ["–", "0.800"]
    assert row(text, "seconds") == ["1.00", "–"]
    assert row(text, "better than input") == ["0 %", "100 %"]
    assert row(text, "error ratio ≤ 2") == ["–", "0 %"]
    assert row(text, "error ratio ≤ 3") == ["–", "100 %"]
    assert row(text, "failed") == ["0", "1"]
    assert row(text, "kd") == ["identity", "PSNR (dB)", "+5.25", "–", "100 %"]


def test_one_method_has_neither_differences_nor_failures() -> None:
    text = printed(tables.render({"methods": result()["methods"][:1]}))
    assert "differences" not in text
    assert "failed" not in text


def test_names_are_shown_as_they_are_and_obeyed_by_nobody() -> None:
    made = result()
    made["methods"][1]["method"] = "cmd:[red]x\x1b[2J {input}"
    text = printed(tables.render(made))
    assert "cmd:[red]x\N{REPLACEMENT CHARACTER}[2J" in text
    assert "\x1b" not in text


def test_csv_has_a_row_an_image_and_method() -> None:
    made = result(parts={"estimate": 1, "restore": 2}, residuals=[[3, 2, 1]])
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(made))))
    assert [(r["method"], r["name"]) for r in rows] == [
        ("identity", "a.png"),
        ("identity", "b, c.png"),
        ("kd", "a.png"),
        ("kd", "b, c.png"),
    ]
    assert list(rows[0])[:4] == ["dataset", "method", "name", "psnr"]
    assert list(rows[0])[-1] == "error"
    assert rows[0]["parts.restore"] == "2"
    assert "residuals" not in rows[0]
    assert rows[0]["mnc"] == rows[1]["mnc"] == ""
    assert float(rows[2]["psnr"]) == 25.25
    assert rows[3]["error"] == "no"
    assert rows[3]["psnr"] == ""


@pytest.mark.parametrize(("share", "text"), [(None, "–"), (0.625, "62 %"), (1.0, "100 %")])
def test_percent(share: float | None, text: str) -> None:
    assert tables.percent(share) == text
