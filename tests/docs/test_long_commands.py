"""Documented commands that take long or need the Hub: run on little, or up to where the work begins."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from kdcli.cli import run
from kdcli.weights.package import write_package
from tests.cli.small import small_kernel
from tests.docs.test_commands import WHOLE, parse
from tests.docs.written import Written
from tests.hub import TOKEN, Hub, weights_files

HUB = [command for command in WHOLE if command.words[:1] == ("weights",) and command.words[1] != "import"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one for photos."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    return tmp_path


@pytest.mark.parametrize("command", [c for c in WHOLE if c.words[0] == "train"], ids=str)
def test_training_begins(command: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    import kdcli.training.run as training

    begun: list[Any] = []
    monkeypatch.setattr(training, "train", lambda config, report: begun.append(config) or Path("weights"))
    params = parse(command.words).params
    for file in filter(None, (params["init"], params["estimator"], params["solver"])):
        Path(file).parent.mkdir(parents=True)
        Path(file).touch()
    assert run(list(command.words)) == 0
    (config,) = begun
    assert (str(config.photos), config.network) == ("photos", params["network"].value)


@pytest.mark.parametrize("command", [c for c in WHOLE if c.words[0] == "synth"], ids=str)
def test_data_sets_are_begun(command: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    import kdcli.bench.synth as synth

    begun: list[Any] = []
    monkeypatch.setattr(synth, "synthesise", lambda photos, out, **settings: begun.append(settings))
    assert run(list(command.words)) == 0
    assert begun[0]["count"] == 100


def cheap(words: tuple[str, ...]) -> tuple[str, ...]:
    """A benchmark of one photo that is at hand, by a method and with measures that cost nothing."""
    kept, skipping = ["bench", "--dataset", "demo", "--method", "identity", "--limit", "1"], False
    for word in words[1:]:
        if not skipping and word not in ("--dataset", "--method", "--measure", "--data-dir"):
            kept.append(word)
        skipping = word in ("--dataset", "--method", "--measure", "--data-dir")
    return tuple(kept)


BENCH = {cheap(c.words): c for c in WHOLE if c.words[0] == "bench" and c.words[1] != "compare"}


@pytest.mark.parametrize("words", BENCH, ids=map(str, BENCH.values()))
def test_benchmarks_write_what_they_say(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(list(words)) == 0
    assert "identity" in capsys.readouterr().out
    for option in ("--json", "--report"):
        if option in words:
            assert Path(words[words.index(option) + 1]).stat().st_size > 0


@pytest.mark.parametrize("command", [c for c in WHOLE if c.words[:2] == ("bench", "compare")], ids=str)
def test_benchmarks_are_compared(command: Written, capsys: pytest.CaptureFixture[str]) -> None:
    for file in command.words[2:4]:
        assert run([*cheap(()), "--json", file]) == 0
    capsys.readouterr()
    assert run(list(command.words)) == 0
    assert "PSNR" in capsys.readouterr().out


def test_weights_come_from_the_hub_and_go_there(hub: Hub, here: Path) -> None:
    """In the order of the pages: what is added is what a later command names."""
    from kdcli.weights.store import save_weights

    for branch in ("main", "REVISION"):
        hub.commit("OWNER/REPO", weights_files(kernel=b"numbers"), branch=branch)
    save_weights(small_kernel(), here / "kernel.safetensors", {"architecture": "kernel-2"})
    write_package(here / "runs/solver/upload", [here / "kernel.safetensors"])
    for name in ("solver", "more", "fine", "finer", "uneven"):  # runs of one network
        (here / "runs" / name).mkdir(exist_ok=True)
        shutil.copy(here / "kernel.safetensors", here / "runs" / name / "solver.safetensors")
    assert {command.words[1] for command in HUB} >= {"list", "fetch", "add", "path", "verify", "push"}
    for command in HUB:
        # Only its owner may push to a repository.
        words = ["me/mine" if "push" in command.words and w == "OWNER/REPO" else w for w in command.words]
        done = hub.kd(*words, HF_TOKEN=TOKEN)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout or done.stderr
