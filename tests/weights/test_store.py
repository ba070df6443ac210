"""Weights files: what goes in comes out, and damage is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from kdcli.errors import KdError, UsageError
from kdcli.weights.header import read_metadata
from kdcli.weights.store import choose_device, load_state, save_weights


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return nn.Sequential(layer, nn.GroupNorm(2, 8))


def test_round_trip(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(network, path, {"architecture": "toy-1", "command": "kd train é"})
    state = load_state(path)
    assert read_metadata(path) == {"architecture": "toy-1", "command": "kd train é"}
    assert state.keys() == network.state_dict().keys()
    for name, weight in network.state_dict().items():
        assert state[name].dtype == torch.float32
        torch.testing.assert_close(state[name], weight.bfloat16().float(), rtol=0, atol=0)
    network.load_state_dict(state)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_weights_are_stored_in_two_bytes_each(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(network, path, {})
    numbers = sum(w.numel() for w in network.state_dict().values())
    size = path.stat().st_size
    header = int.from_bytes(path.read_bytes()[:8], "little")
    assert size - 8 - header == 2 * numbers
    assert read_metadata(path) == {}


def test_a_failed_save_leaves_the_old_weights(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(network, path, {"version": "1"})

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("kdcli.weights.store.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_weights(network, path, {"version": "2"})
    assert read_metadata(path) == {"version": "1"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.safetensors: no such weights file"):
        load_state(tmp_path / "none.safetensors")


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "header", "longer"])
def test_damage_is_one_clear_line(network: nn.Module, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(network, path, {})
    whole = path.read_bytes()
    broken = {
        "cut": whole[:-50],
        "empty": b"",
        "text": b"these are no weights",
        "header": whole[:8] + b"{" * 40 + whole[48:],
        "longer": whole + b"more",
    }
    path.write_bytes(broken[damage])
    with pytest.raises(KdError, match=r"net\.safetensors is damaged") as caught:
        load_state(path)
    assert not isinstance(caught.value, UsageError)


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match="--device cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto").type == "cuda"
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UsageError, match="only 2"):
        choose_device("cuda:2")
