"""The mean of networks: what it is, what it says of itself, and what cannot be averaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from kdcli.cli import run
from kdcli.errors import UsageError
from kdcli.weights.average import average
from kdcli.weights.header import digest, measure, read_metadata
from kdcli.weights.store import load_state, save_weights


def saved(path: Path, value: float, size: int = 3, **words: str) -> Path:
    network = nn.Linear(size, 2)
    for weight in network.parameters():
        nn.init.constant_(weight, value)
    save_weights(network, path, {"architecture": "toy-1", **words})
    return path


def test_the_mean_and_what_it_says(tmp_path: Path) -> None:
    files = [
        saved(tmp_path / "a.safetensors", 1.0, data="photos", command="kd train a"),
        saved(tmp_path / "b.safetensors", 2.0, data="photos", command="kd train b"),
        saved(tmp_path / "c.safetensors", 6.0, data="photos"),
    ]
    average(files, tmp_path / "mean.safetensors")
    state = load_state(tmp_path / "mean.safetensors")
    assert {name: weight.shape for name, weight in state.items()} == {
        "weight": torch.Size([2, 3]),
        "bias": torch.Size([2]),
    }
    for weight in state.values():
        torch.testing.assert_close(weight, torch.full_like(weight, 3.0), rtol=0, atol=0)
    assert read_metadata(tmp_path / "mean.safetensors") == {
        "architecture": "toy-1",
        "data": "photos",
        "average_of": ", ".join(f"{file.name} {digest(file)[:12]}" for file in files),
    }
    assert measure(tmp_path / "mean.safetensors").architecture == "toy-1"


@pytest.mark.parametrize("silent", [0, 1])
def test_what_only_one_says_is_not_said(silent: int, tmp_path: Path) -> None:
    words: list[dict[str, str]] = [{"data": "photos"}, {"data": "photos"}]
    words[silent] = {}
    files = [saved(tmp_path / f"{i}.safetensors", 1.0, **said) for i, said in enumerate(words)]
    average(files, tmp_path / "mean.safetensors")
    assert read_metadata(tmp_path / "mean.safetensors").keys() == {"architecture", "average_of"}


def test_what_differs_is_refused(tmp_path: Path) -> None:
    first = saved(tmp_path / "a.safetensors", 1.0)
    shape = saved(tmp_path / "b.safetensors", 1.0, size=4)
    kind = saved(tmp_path / "c.safetensors", 1.0, architecture="toy-2")
    out = tmp_path / "mean.safetensors"
    for other in (shape, kind):
        with pytest.raises(UsageError, match=f"{other.name} is of another network than .*a.safetensors"):
            average([first, other], out)
    with pytest.raises(UsageError, match="two weights files or more"):
        average([first], out)
    assert not out.exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [saved(tmp_path / f"{value}.safetensors", value) for value in (1.0, 2.0)]
    words = ["weights", "average", *map(str, files), "-o", str(tmp_path / "mean.safetensors")]
    assert run(words) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'mean.safetensors'}\n"
    assert float(load_state(tmp_path / "mean.safetensors")["bias"][0]) == 1.5
    before = files[0].read_bytes()
    assert run([*words[:-1], str(files[0])]) == 2
    assert "exists already" in capsys.readouterr().err
    assert files[0].read_bytes() == before
