"""`kd synth`, with a stand-in for what makes the pairs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kdcli.cli import run


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The calls that `synthesise` got."""
    made: list[dict[str, Any]] = []

    def synthesise(photos: Path, out: Path, **settings: Any) -> None:
        settings.pop("progress")("synthesise", 1.0)
        made.append({"photos": photos, "out": out, **settings})

    module = ModuleType("kdcli.bench.synth")
    module.synthesise = synthesise  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kdcli.bench.synth", module)
    return made


def test_settings_reach_the_maker(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    given = f"synth {tmp_path} -o {tmp_path}/new --count 5 --kernels defocus --noise 0.01 --jpeg 90 --seed 3"
    assert run(given.split()) == 0
    assert calls == [
        {
            "photos": tmp_path,
            "out": tmp_path / "new",
            "count": 5,
            "kernels": "defocus",
            "noise": 0.01,
            "jpeg": 90,
            "seed": 3,
        }
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("synth {0}/none -o {0}/new", "is no folder"),
        ("synth {0} -o {0}", "not empty"),
        ("synth {0} -o {0}/a/b", "does not exist"),
        ("synth {0} -o {0}/new --kernels zigzag", "zigzag"),
        ("synth {0} -o {0}/new --jpeg 0", "--jpeg"),
        ("synth {0} -o {0}/new --count 0", "--count"),
        ("synth {0} -o {0}/new --noise -1", "--noise"),
        ("synth {0}", "-o"),
    ],
)
def test_bad_settings_are_one_line(
    calls: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    (tmp_path / "photo.png").touch()
    assert run(words.format(tmp_path).split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("kd: error: ")
    assert error.count("\n") == 1
    assert said in error
    assert calls == []
