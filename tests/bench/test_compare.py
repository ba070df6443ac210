"""Two results side by side: what changed, and whether it is worse."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kdcli.bench.compare import compare, parse_limit
from kdcli.bench.compare_tables import render
from kdcli.bench.results import read_result
from kdcli.errors import UsageError


def result(psnr: list[float], method: str = "kd", first: int = 0, **more: Any) -> dict[str, Any]:
    """One method on images of the names 0.png, 1.png, ..."""
    images = [{"name": f"{first + i}.png", "psnr": v, "seconds": 10 - i} for i, v in enumerate(psnr)]
    return {"dataset": "demo", "methods": [{"method": method, "images": images, "failed": [], **more}]}


def shown(a: dict[str, Any], b: dict[str, Any], **settings: Any) -> str:
    """The tables as a terminal shows them."""
    console = Console(width=100, file=io.StringIO())
    console.print(render(compare(a, b), **settings))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_images_are_paired_by_name() -> None:
    found = compare(result([20, 21, 22]), result([21.5, 21, 30], first=1))
    (method,) = found.methods
    assert [image.name for image in method.images] == ["1.png", "2.png"]
    assert [image.gain("psnr") for image in method.images] == [0.5, -1]
    assert [image.gain("seconds") for image in method.images] == [-1, -1]
    assert method.only_before == ("0.png",)
    assert method.only_after == ("3.png",)
    psnr = next(one for one in method.differences if one.measure == "psnr")
    assert (psnr.mean, psnr.win_rate, psnr.count) == (-0.25, 0.5, 2)


def test_worse_beyond_the_tolerance_only() -> None:
    found = compare(result([20, 25]), result([19.9, 24.9]))
    assert found.worse("psnr", 0.1) == []
    assert found.worse("psnr", 0.09) == ["kd: psnr is worse by 0.10, more than 0.09"]
    assert compare(result([20]), result([30])).worse("psnr", 0) == []


def test_lower_is_worse_or_better_by_metric() -> None:
    a, b = result([20]), result([20])
    b["methods"][0]["images"][0]["seconds"] = 12
    assert compare(a, b).worse("seconds", 1)
    assert not compare(b, a).worse("seconds", 1)


def test_what_is_no_number_or_fails_counts_as_worse() -> None:
    assert compare(result([20, 20]), result([20, math.nan])).worse("psnr", 1)
    assert compare(result([math.inf]), result([50])).worse("psnr", 1)
    assert not compare(result([math.inf]), result([math.inf])).worse("psnr", 0)
    failing = result([20], failed=[{"name": "1.png", "error": "no"}])
    assert compare(result([20, 21]), failing).worse("psnr", 1) == ["kd: fails now on 1.png"]


def test_a_check_that_checks_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="lpips is not in both results: choose one of psnr, seconds"):
        compare(result([20]), result([20])).worse("lpips", 1)


def test_methods_are_paired_by_name_or_alone() -> None:
    found = compare(result([20]), result([21], method="kd:best"))
    assert found.methods[0].method == "kd:best"
    assert found.notes == ("the methods differ: kd and kd:best",)
    a, b = result([20]), result([21])
    a["methods"] += result([1], method="old")["methods"]
    b["methods"] += result([1], method="new")["methods"]
    found = compare(a, b)
    assert [method.method for method in found.methods] == ["kd"]
    assert (found.only_before, found.only_after) == (("old",), ("new",))
    with pytest.raises(UsageError, match="no method is in both"):
        compare(a, result([20], method="other"))
    with pytest.raises(UsageError, match="no image is in both"):
        compare(result([20]), result([20], first=5))


def test_doubts_are_noted() -> None:
    a, b = result([20]), result([20]) | {"dataset": "other"}
    for made, value in ((a, 18.0), (b, 18.5)):
        made["methods"][0]["images"][0]["psnr_input"] = value
    assert compare(a, b).notes == (
        "the data sets differ: demo and other",
        "the blurred photos differ: their own PSNR has changed",
    )


def test_the_tables_show_the_greatest_loss_first() -> None:
    text = shown(result([20, 21, 22, 1]), result([20, 19, 23]))
    rows = [line for line in text.splitlines() if ".png" in line]
    assert [row.split()[1] for row in rows[:3]] == ["1.png", "0.png", "2.png"]
    assert "−2.00" in rows[0]
    assert "kd: images only in the first: 3.png" in text
    assert "2.png" not in shown(result([20, 21, 22]), result([20, 19, 23]), limit=2)


@pytest.mark.parametrize(
    ("text", "wanted"), [("psnr:0.1", ("psnr", 0.1)), ("seconds:0", ("seconds", 0)), ("a:b:2", ("a:b", 2))]
)
def test_limits(text: str, wanted: tuple[str, float]) -> None:
    assert parse_limit(text) == wanted


@pytest.mark.parametrize("text", ["", "psnr", "psnr:", ":1", "psnr:x", "psnr:-1", "psnr:nan", "psnr:inf"])
def test_limits_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="write METRIC:TOLERANCE"):
        parse_limit(text)


def test_reading_results(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text(json.dumps(result([20, math.inf])))
    assert read_result(file) == result([20, math.inf])


def test_reading_a_result_of_an_older_kd(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    images = [{"name": "a", "psnr": 1}]
    file.write_text(json.dumps({"dataset": "x", "method": "kd", "mean": {"psnr": 1}, "images": images}))
    assert read_result(file)["methods"] == [{"method": "kd", "mean": {"psnr": 1}, "images": images}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("\xff", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "it holds no object"),
        ("{}", "it has no methods"),
        ('{"methods": []}', "it has no methods"),
        ('{"methods": [3]}', "a method has no name"),
        ('{"methods": [{"method": "kd"}]}', "kd has no images"),
        ('{"method": "kd"}', "kd has no images"),
        ('{"methods": [{"method": "kd", "images": [{}]}]}', "one of the images of kd has no name"),
        ('{"methods": [{"method": "kd", "images": [], "failed": [1]}]}', "one of the failed of kd"),
        ('{"methods": [{"method": "kd", "images": [], "mean": 1}]}', "the mean of kd is no object"),
    ],
)
def test_files_that_are_no_results(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "r.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=message) as caught:
        read_result(file)
    assert "\n" not in str(caught.value)
    assert "name a file of kd bench --json" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none\.json: No such file"):
        read_result(tmp_path / "none.json")
