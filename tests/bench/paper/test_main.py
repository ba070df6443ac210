"""The commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdcli.bench.paper.__main__ import main
from tests.bench.paper.conftest import result, with_curves

PAGE = Path(__file__).parents[3] / "docs" / "paper.md"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run a command; its exit code."""
    monkeypatch.setattr(sys, "argv", ["paper", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_table_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stored: Callable[..., Path]
) -> None:
    assert run(monkeypatch, "table1", stored(result())) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("|  | PSNR (dB) | SSIM |")
    assert "| the paper: Kernel-Diff | 18.95 | 0.492 |" in printed


def test_a_table_is_put_into_the_page_in_docs(
    monkeypatch: pytest.MonkeyPatch, stored: Callable[..., Path], tmp_path: Path
) -> None:
    page = tmp_path / "paper.md"
    page.write_bytes(PAGE.read_bytes())
    file = stored(result(count=7))
    for name in ("table1", "table2", "table4"):
        assert run(monkeypatch, name, file, "--page", page) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("A trial on 7 of the 100 pairs") == 3
    before = PAGE.read_text(encoding="utf-8")
    assert text.partition("<!-- table1 -->")[0] == before.partition("<!-- table1 -->")[0]
    assert text.rpartition("<!-- /table4 -->")[2] == before.rpartition("<!-- /table4 -->")[2]


def test_the_page_in_docs_shows_pictures_that_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for picture in ("paper-figure2.png", "paper-figure5.png"):
        assert f"]({picture})" in text
        assert (PAGE.parent / picture).is_file()


def test_a_figure_is_drawn(
    monkeypatch: pytest.MonkeyPatch, stored: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "f.svg"
    assert run(monkeypatch, "figure5", stored(with_curves(("kd", [[2.0, 1.0]]))), "-o", out) == 0
    assert out.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("table1", "none.json"), "error: cannot read none.json"),
        (("table1", "{file}", "--page", "none.md"), "error: cannot read none.md"),
        (("figure5", "{file}", "-o", "f.png"), "error: no image has residuals"),
        (("table3", "{file}"), "No such command"),
    ],
)
def test_what_goes_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stored: Callable[..., Path],
    words: tuple[str, ...],
    message: str,
) -> None:
    file = stored(result())
    assert run(monkeypatch, *(word.format(file=file) for word in words)) == 2
    assert message in capsys.readouterr().err
