"""Completion in bash, zsh and fish, through the protocol that their scripts speak."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import shellingham

from kdcli.cli import run

SHELLS = ["bash", "zsh", "fish"]
Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        run(list(words))
    assert ended.value.code == 0
    return capsys.readouterr().out


def complete(monkeypatch: pytest.MonkeyPatch, capsys: Capture, shell: str, line: str) -> str:
    """What a shell is told when Tab is pressed at the end of a line."""
    monkeypatch.setenv("_KD_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    return said(capsys)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shell that kd is called from."""
    name: str = request.param
    monkeypatch.setattr(shellingham, "detect_shell", lambda: (name, f"/bin/{name}"))
    return name


def test_the_script_is_shown(shell: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    script = said(capsys, "--show-completion")
    assert f"_KD_COMPLETE=complete_{shell}" in script
    assert script.split()[0] == {"bash": "_kd_completion()", "zsh": "#compdef", "fish": "complete"}[shell]
    monkeypatch.setenv("_KD_COMPLETE", f"source_{shell}")
    assert said(capsys).strip() == script.strip()  # for those who package kd


def test_the_script_is_installed(
    shell: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert f"{shell} completion installed in {tmp_path}" in said(capsys, "--install-completion")
    place = {
        "bash": ".bash_completions/kd.sh",
        "zsh": ".zfunc/_kd",
        "fish": ".config/fish/completions/kd.fish",
    }
    assert f"_KD_COMPLETE=complete_{shell}" in (tmp_path / place[shell]).read_text()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kd deb", {"deblur"}),
        ("kd ", {"deblur", "estimate-kernel", "synth", "train", "bench", "weights"}),
        ("kd --show", {"--show-config", "--show-completion"}),
        ("kd bench com", {"compare"}),
        ("kd weights f", {"fetch"}),
        ("kd deblur --pre", {"--preset", "--preview"}),
        ("kd deblur in.jpg --save-psf --com", {"--compare"}),
        ("kd deblur --preset b", {"balanced", "best"}),
        ("kd train k", {"kernel"}),
    ],
)
def test_commands_options_and_values_are_completed(
    shell: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, line: str, words: set[str]
) -> None:
    told = complete(monkeypatch, capsys, shell, line)
    if shell == "zsh":
        found = {part.split('"')[1] for part in told.splitlines()}
    else:
        found = {part.split("\t")[0] for part in told.splitlines()}
    assert found == words


def test_photos_are_left_to_the_shell(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete(monkeypatch, capsys, "bash", "kd deblur hol").strip() == ""
    assert complete(monkeypatch, capsys, "zsh", "kd deblur hol").strip() == "_files"


def test_settings_that_are_wrong_do_not_disturb(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kd.toml").write_text("nonsense")
    monkeypatch.setenv("KD_SEED", "nonsense")
    assert complete(monkeypatch, capsys, "bash", "kd deblur --dev").strip() == "--device"


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="needs bash")
def test_in_bash_itself(tmp_path: Path) -> None:
    kd = tmp_path / "kd"
    kd.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kdcli "$@"\n')
    kd.chmod(0o755)
    script = f"""
source <(_KD_COMPLETE=source_bash "{kd}")
complete -p kd
COMP_WORDS=(kd deblur --pres) COMP_CWORD=2
_kd_completion "{kd}"
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["complete -o default -F _kd_completion kd", "--preset"]
