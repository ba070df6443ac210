"""The paper's tables: its numbers and ours, in one form."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from kdcli.bench.paper.tables import COLUMNS, fill, table
from kdcli.engine.options import PRESETS
from kdcli.errors import UsageError
from tests.bench.paper.conftest import image, result


def cells(text: str) -> dict[str, dict[str, str]]:
    """The rows of a Markdown table by their titles, and their cells by the heads."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    heads = lines[0]
    assert all(len(line) == len(heads) + 1 for line in lines[2:])  # the first head is empty
    return {line[0]: dict(zip(heads, line[1:], strict=True)) for line in lines[2:]}


def test_table_1_has_the_published_numbers_and_ours() -> None:
    rows = cells(table("table1", [result(100)]))
    assert rows["the paper: Kernel-Diff"] == {
        "PSNR (dB)": "18.95",
        "SSIM": "0.492",
        "LPIPS": "0.335",
        "FID": "172.3",
        "MNC": "0.698",
        "better than the input": "–",
        "seconds": "–",
        "pairs": "–",
    }
    assert rows["the paper: DWDN, true kernel"]["PSNR (dB)"] == "22.95"
    assert rows["blurred input"]["PSNR (dB)"] == "20.00"
    assert rows["blurred input"]["MNC"] == rows["blurred input"]["better than the input"] == "–"
    assert rows["`kd --preset best`"] == {
        "PSNR (dB)": "70.50",  # the mean of 21, 22, ... 120
        "SSIM": "0.500",
        "LPIPS": "0.250",
        "FID": "123.5",
        "MNC": "0.750",
        "better than the input": "100 %",
        "seconds": "3.0",
        "pairs": "100",
    }


def test_few_pairs_are_called_a_trial() -> None:
    assert "trial" not in table("table1", [result(100)])
    assert "**A trial on 2 of the 100 pairs of bsd100: too few to judge by.**" in table("table1", [result(2)])
    assert "trial" not in table("table1", [result(2, dataset="mine")])


def test_what_made_the_rows_is_said_once() -> None:
    text = table("table1", [result(weights="default"), result(weights="default")])
    assert text.count("Our rows: version 9.9, weights default.") == 1


def test_settings_beside_the_preset_are_said() -> None:
    usual = {**asdict(PRESETS["paper"]), "seed": 3, "residuals": True}
    assert "Other settings" not in table("table2", [result(preset="paper", options=usual)])
    text = table("table2", [result(preset="paper", options={**usual, "steps": 8, "guidance": 0.2})])
    assert "**Other settings than the preset's: steps 8, guidance 0.2.**" in text


def test_table_2_tells_the_ablations_apart() -> None:
    made = result(
        preset="paper",
        options={"steps": 8},
        methods=[
            {"method": name, "images": [image(0, psnr)]}
            for name, psnr in (("kd", 19.0), ("kd:unguided", 18.0), ("kd:unrefined", 17.0), ("kd:fast", 16.0))
        ],
    )
    rows = cells(table("table2", [made]))
    assert {title: row["PSNR (dB)"] for title, row in rows.items()} == {
        "the paper: Kernel-Diff": "18.95",
        "the paper: without guidance": "17.83",
        "`kd --preset paper`": "19.00",
        "`kd --preset paper`, without guidance": "18.00",
        "`kd --preset paper`, without refinement": "17.00",
        "`kd --preset fast`": "16.00",
    }
    assert rows["`kd --preset paper`"]["steps"] == "8"
    assert rows["`kd --preset fast`"]["steps"] == "1"  # the options of a run are those of its own preset


def test_table_4_names_the_sets() -> None:
    assert set(cells(table("table4", [result(dataset="levin")]))) == {f"levin: {name}" for name in METHODS}
    rows = cells(table("table4", [result(), result(dataset="levin")]))
    assert set(rows) == {f"{name}: {method}" for name in ("bsd100", "levin") for method in METHODS}


METHODS = ("blurred input", "`kd --preset best`")


def test_other_programs_go_by_their_command() -> None:
    made: dict[str, Any] = result(methods=[{"method": "cmd:a | b {input}\n", "images": [image(0, 1.0)]}])
    assert "| `cmd:a \\| b {input}\N{REPLACEMENT CHARACTER}` | 1.00 |" in table("table1", [made])


def test_a_table_replaces_the_older_one_in_a_page() -> None:
    page = "a\n<!-- table1 -->\nold\n<!-- /table1 -->\nb\n<!-- table2 -->\n<!-- /table2 -->\n"
    once = fill(page, "table1", "| new |\n")
    assert once == page.replace("old\n", "\n| new |\n\n")
    assert fill(once, "table1", "| new |\n") == once
    with pytest.raises(UsageError, match="no place for table4: give it the lines <!-- table4 -->"):
        fill(page, "table4", "")


def test_every_table_has_the_columns_of_the_published_numbers() -> None:
    for name in COLUMNS:
        rows = cells(table(name, [result()]))
        published = [row for title, row in rows.items() if title.startswith("the paper")]
        assert bool(published) == (name != "table4")
        assert all(row["PSNR (dB)"] != "–" for row in published)
