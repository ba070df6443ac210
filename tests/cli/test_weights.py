"""`kd weights`, and `--weights` on the commands that use them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdcli.cli import run
from kdcli.weights.register import PACKAGE, read_bundled, read_sets
from tests.conftest import FakeEngine
from tests.hub import Hub, weights_files

WHOLE = "default kernel: ok\ndefault solver: ok\ndefault judge: ok\n"


def said(capsys: pytest.CaptureFixture[str], words: str, code: int = 0) -> str:
    """What a command prints, its errors behind it."""
    assert run(words.split()) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_list(register: Path, files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, f"weights add mine {files[0]} --licence MIT -q")
    text = said(capsys, "weights list")
    networks = "kernel (kernel-2), solver (solver-5), judge (judge-1)"
    assert f"default  {networks}, 25.5 MB, comes with kd\n    quality: BSD100" in text
    assert f"mine  kernel (kernel-2), 0.2 MB, {files[0].parent}\n    quality: not stated\n" in text
    both = {entry["name"]: entry for entry in json.loads(said(capsys, "weights list --json"))}
    assert set(both) == {"default", "mine"}
    assert both["default"]["files"]["kernel"]["path"] == str(PACKAGE / "kernel.safetensors")
    assert (both["mine"]["licence"], both["mine"]["files"]["kernel"]["bytes"]) == (
        "MIT",
        files[0].stat().st_size,
    )


def test_path(register: Path, files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    bundled = [PACKAGE / f"{role}.safetensors" for role in ("kernel", "solver", "judge")]
    assert said(capsys, "weights path") == "".join(f"{path}\n" for path in bundled)
    assert said(capsys, f"weights path {files[1]}") == f"{files[1]}\n"
    assert "unknown weights 'nope'" in said(capsys, "weights path nope", 2)
    said(capsys, f"weights add mine {files[0]} -q")
    files[0].unlink()
    assert "run kd weights fetch mine" in said(capsys, "weights path mine", 1)


def test_verify(register: Path, files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, f"weights add mine {files[0]} -q")
    assert said(capsys, "weights verify") == f"{WHOLE}mine kernel: ok\n"
    files[0].write_bytes(files[0].read_bytes()[:-1])
    text = said(capsys, "weights verify default mine", 1)
    assert text.startswith(f"{WHOLE}mine kernel: damaged\nkd: error: ")
    assert "kernel.safetensors is damaged" in text
    files[0].unlink()
    assert "mine kernel: damaged\nkd: error: " in said(capsys, "weights verify mine", 1)


def test_what_was_never_fetched_is_not_damaged(
    register: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (PACKAGE.parent.parent / "weights.toml").read_text().replace("default", "far")
    text = text.replace("licence", f'repo_id = "me/kd"\nrevision = "{"a" * 40}"\nlicence', 1)
    (tmp_path / "own.toml").write_text(text)
    monkeypatch.setenv("KD_WEIGHTS_FILE", "own.toml")
    far = "far kernel: not fetched\nfar solver: not fetched\nfar judge: not fetched\n"
    assert said(capsys, "weights verify far") == far
    assert f"hf://me/kd@{'a' * 40}, not fetched" in said(capsys, "weights list")


def test_add(register: Path, files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        said(capsys, f"weights add mine {files[0]} --quality good")
        == f"kd: {register} has mine: {files[0]}\n"
    )
    mine = read_sets(register)["mine"]
    assert (mine.data, mine.quality, mine.licence) == ("not stated", "good", "not stated")
    assert "--overwrite" in said(capsys, f"weights add mine {files[1]}", 2)
    assert "is no name" in said(capsys, f"weights add a.b {files[1]}", 2)
    assert "no such weights file" in said(capsys, "weights add new none.safetensors", 2)
    assert set(read_sets(register)) == {"mine"}


def test_new_default_files_in_a_checkout(
    register: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the register says of their licence and quality stays until somebody says otherwise."""
    ours = PACKAGE.parent.parent / "weights.toml"
    wrong = ours.read_text().replace("bytes = 1", "bytes = 9").replace("bytes = 5", "bytes = 8")
    (tmp_path / "weights.toml").write_text(wrong)
    said(capsys, f"weights add default {PACKAGE} --register weights.toml --overwrite -q")
    found, wanted = read_sets(tmp_path / "weights.toml")["default"], read_bundled()["default"]
    assert found.files == wanted.files
    assert (found.licence, found.folder) == (wanted.licence, None)
    assert (tmp_path / "weights.toml").read_text().startswith(ours.read_text().partition("[")[0])


@pytest.mark.parametrize("command", ["deblur", "estimate-kernel"])
def test_the_option_reaches_the_loader(
    engine: FakeEngine, photo_file: Callable[..., Path], tmp_path: Path, command: str
) -> None:
    photo = photo_file()
    assert run([command, str(photo), "--weights", "hf://me/kd@v1", "-q"]) == 0
    assert run([command, str(photo), "-q", *(["--overwrite"] if command == "deblur" else [])]) == 0
    assert engine.weights == ["hf://me/kd@v1", "default"]


@pytest.mark.parametrize(
    "words",
    ["deblur photo.png", "estimate-kernel photo.png", "bench --dataset demo --limit 1"]
    + [
        f"train {role} --photos . --out run {option}"
        for role, option in (
            ("kernel", "--init"),
            ("solver", "--init"),
            ("solver", "--estimator"),
            ("judge", "--solver"),
        )
    ],
)
def test_unknown_weights_are_one_line(
    register: Path, photo_file: Callable[..., Path], capsys: pytest.CaptureFixture[str], words: str
) -> None:
    photo_file()
    option = "" if words.startswith("train") else "-q --weights"
    text = said(capsys, f"{words} {option} nope", 2)
    assert text.startswith("kd: error: unknown weights 'nope': name one of default, a folder")
    assert text.count("\n") == 1
    assert not Path("run").exists()


def test_training_starts_from_weights_by_name(
    register: Path, photo_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import kdcli.training.run

    seen: list[Any] = []
    monkeypatch.setattr(kdcli.training.run, "train", lambda config, _report: seen.append(config))
    for option in ("--init", "--weights"):
        words = f"train solver --photos . --out run {option} default --estimator default --licence MIT -q"
        assert run(words.split()) == 0
    for config in seen:
        assert (config.init, config.estimator) == (
            PACKAGE / "solver.safetensors",
            PACKAGE / "kernel.safetensors",
        )
        assert config.licence == "MIT"


def test_nothing_heavy_is_imported_to_look(register: Path) -> None:
    code = """
import sys
from kdcli.cli import run
codes = [run(words.split()) for words in
         ("weights --help", "weights list", "weights path", "weights verify", "weights fetch nope")]
print(codes, [name for name in ("torch", "huggingface_hub") if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[0, 0, 0, 0, 2] []"


def test_adding_from_the_hub_pins_the_commit(hub: Hub) -> None:
    commit = hub.commit("me/kd", weights_files(kernel=b"one", solver=b"two"))
    done = hub.kd("weights", "add", "mine", "hf://me/kd", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    mine = read_sets(hub.home / ".config/kd/weights.toml")["mine"]
    assert (mine.repo_id, mine.revision, mine.licence) == ("me/kd", commit, "CC0")
    hub.commit("me/kd", weights_files(kernel=b"new"))
    assert Path(hub.kd("weights", "path", "mine").stdout.splitlines()[0]).read_bytes() == b"one"
