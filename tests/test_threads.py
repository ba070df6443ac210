"""Threads that wait."""

from __future__ import annotations

import os

import pytest

import kdcli.cli as cli
from kdcli.threads import wait_without_spinning


def test_threads_hardly_spin_unless_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    wait_without_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "1000"
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    wait_without_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_without_spinning()
    assert "GOMP_SPINCOUNT" not in os.environ


def test_kd_asks_for_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cli, "wait_without_spinning", lambda: asked.append("threads"))
    monkeypatch.setattr("sys.argv", ["kd", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert asked == ["threads"]
