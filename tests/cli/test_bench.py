"""`kd bench` from end to end, with methods that need no networks."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from kdcli.cli import run

DEMO = ["bench", "--dataset", "demo", "--limit", "2", "--quiet"]
BROKEN = f"cmd:'{sys.executable}' -c 'raise SystemExit(\"no luck\")' {{input}} {{output}}"


def test_one_run_gives_table_json_csv_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / name for name in ("r.json", "r.csv", "r.html")]
    wanted = [f"--{kind}={file}" for kind, file in zip(("json", "csv", "report"), files, strict=True)]
    code = run([*DEMO, "--method", "identity", "--method", "wiener", *wanted])
    assert code == 0
    assert sorted(tmp_path.iterdir()) == sorted(files)  # nothing left over
    result = json.loads(files[0].read_text())
    assert {"dataset", "count", "mean", "images"} <= result.keys()
    assert {"psnr", "ssim", "mnc", "psnr_aligned", "ssim_aligned", "seconds"} <= result["mean"].keys()
    assert result["count"] == len(result["images"]) == 2
    assert [m["method"] for m in result["methods"]] == ["identity", "wiener"]
    assert {d["measure"] for d in result["differences"]} >= {"psnr", "ssim"}
    rows = list(csv.DictReader(files[1].read_text().splitlines()))
    assert len(rows) == 4
    page = files[2].read_text()
    assert page.count("<article") == 2
    assert page.count("data:image/webp") >= 4
    shown = capsys.readouterr().out
    assert "identity" in shown
    assert "wiener" in shown


def test_a_failing_method_is_counted_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.json"
    code = run([*DEMO, "--method", "identity", "--method", BROKEN, "--json", str(file)])
    assert code == 1
    result = json.loads(file.read_text())
    assert [m["count"] for m in result["methods"]] == [2, 0]
    assert [row["error"] for row in result["methods"][1]["failed"]] == [
        f"{sys.executable} exited with 1: no luck"
    ] * 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "no luck" in captured.err
    assert "identity" in captured.out


def test_a_degraded_set_is_harder(tmp_path: Path) -> None:
    scores = []
    for more in ([], ["--noise", "0.1"]):
        assert run([*DEMO, "--method", "identity", *more, "--json", str(tmp_path / "r.json")]) == 0
        scores.append(json.loads((tmp_path / "r.json").read_text())["mean"]["psnr"])
    assert scores[1] < scores[0] - 1


def test_a_run_of_other_settings_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json.partial").write_text('{"settings": {"dataset": "other"}}\n')
    assert run([*DEMO, "--method", "identity", "--json", str(tmp_path / "r.json"), "--resume"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--dataset"),
        (["--dataset", "bsd300"], "no data set 'bsd300'"),
        (["--dataset", "demo", "--method", "dwdn"], "unknown method 'dwdn'"),
        (["--dataset", "demo", "--method", "kd", "--method", "kd"], "named twice"),
        (["--dataset", "demo", "--resume"], "--resume needs"),
        (["--dataset", "demo", "--json", "/no/such/folder/r.json"], "does not exist"),
        (["--dataset", "demo", "--noise", "2"], "noise"),
        (["--dataset", "levin", "--data-dir", "/no/such/folder"], "/no/such/folder"),
        (["compare", "/no/a.json", "/no/b.json"], "cannot read /no/a.json"),
        (["compare", "a.json", "b.json", "--fail-if-worse", "psnr"], "METRIC:TOLERANCE"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_compare_tells_and_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for file, noise in zip(files, ("0", "0.1"), strict=True):
        assert run([*DEMO, "--method", "identity", "--noise", noise, "--json", file]) == 0
    assert run(["bench", "compare", *files]) == 0
    assert run(["bench", "compare", *files, "--fail-if-worse", "psnr:0.1"]) == 1
    assert "psnr is worse by" in capsys.readouterr().err
    assert run(["bench", "compare", files[1], files[0], "--fail-if-worse", "psnr:0.1"]) == 0
