"""`kd bench` from end to end, with methods that need no networks."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kdcli.bench.bench import Bench
from kdcli.cli import run
from tests.bench.conftest import timeless

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
    for more in ([], ["--noise", "0.1", "--overwrite"]):
        assert run([*DEMO, "--method", "identity", *more, "--json", str(tmp_path / "r.json")]) == 0
        scores.append(json.loads((tmp_path / "r.json").read_text())["mean"]["psnr"])
    assert scores[1] < scores[0] - 1


def test_a_run_broken_off_and_resumed_gives_the_file_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, resumed, report = (tmp_path / name for name in ("whole.json", "resumed.json", "resumed.html"))
    words = ["bench", "--dataset", "demo", "--limit", "3", "--noise", "0.01", "--method", "identity"]
    words += ["--method", "wiener", "--method", BROKEN, "--json"]
    assert run([*words, str(whole)]) == 1
    measured: list[tuple[int, int]] = []
    measure = Bench.measure

    def interrupted(bench: Bench, tasks: list[tuple[int, int]]) -> Any:
        if len(measured) == 5:
            raise KeyboardInterrupt
        measured.extend(tasks)
        return measure(bench, tasks)

    monkeypatch.setattr(Bench, "measure", interrupted)
    assert run([*words, str(resumed), "--report", str(report)]) == 130
    assert not resumed.exists()
    error = capsys.readouterr().err
    assert "5 measurements are kept: add --resume to go on" in error
    assert error.endswith("kd: error: interrupted\n")
    monkeypatch.setattr(
        Bench, "measure", lambda bench, tasks: measured.extend(tasks) or measure(bench, tasks)
    )
    assert run([*words, str(resumed), "--report", str(report), "--resume"]) == 1
    # Nothing twice but what had failed.
    assert sorted(measured) == sorted([*((m, i) for m in range(3) for i in range(3)), (2, 0)])
    assert json.dumps(timeless(json.loads(resumed.read_text()))) == json.dumps(
        timeless(json.loads(whole.read_text()))
    )
    assert report.read_text().count("<article") == 3
    assert sorted(tmp_path.iterdir()) == sorted([whole, resumed, report])


def test_files_are_replaced_only_when_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.csv"
    file.write_text("mine")
    assert run([*DEMO, "--method", "identity", "--csv", str(file)]) == 2
    assert "r.csv exists already: choose another name or add --overwrite" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert run([*DEMO, "--method", "identity", "--csv", str(file), "--overwrite"]) == 0
    assert file.read_text().startswith("dataset,method,name")


def test_what_is_no_number_is_null_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*DEMO, "--kernels", "identity", "--method", "identity", "--json", str(tmp_path / "r.json")]
    assert run(words) == 0
    assert "∞" in capsys.readouterr().out  # nothing was done to the photos

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    result = json.loads((tmp_path / "r.json").read_text(), parse_constant=refuse)
    assert result["mean"]["psnr"] is None
    assert result["mean"]["ssim"] == pytest.approx(1)


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
        (["--dataset", "demo", "--measure", "niqe"], "--measure niqe: choose one of lpips, fid"),
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
