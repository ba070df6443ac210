"""Loading: what is whole and known comes through the door, and nothing else."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch

from kdcli.errors import KdError, UsageError
from kdcli.nets.solver import Solver
from kdcli.weights import load_models, locate
from kdcli.weights.header import verify
from kdcli.weights.package import write_package
from kdcli.weights.register import WeightsFile
from kdcli.weights.store import load_state
from tests.weights.test_source import Bomb

CONTENT = b"weights" * 100


def test_the_bundled_weights_load_and_take_no_gradients() -> None:
    loaded = load_models("cpu")
    assert loaded.name == "default"
    assert not any(p.requires_grad for p in [*loaded.kernel.parameters(), *loaded.solver.parameters()])


def test_an_unknown_set_is_a_wrong_usage() -> None:
    with pytest.raises(UsageError, match="unknown weights 'nope'"):
        load_models("cpu", "nope")


def test_weights_of_ones_own(toys: Path) -> None:
    loaded = load_models("cpu", str(toys))
    assert loaded.name == str(toys)
    for role in ("kernel", "solver"):
        weight = getattr(loaded, role).weight
        assert torch.equal(weight, load_state(toys / f"{role}.safetensors")["weight"])
        assert not weight.requires_grad


def test_the_bundled_network_stands_in(toys: Path) -> None:
    loaded = load_models("cpu", str(toys / "kernel.safetensors"))
    assert isinstance(loaded.solver, Solver)
    assert loaded.kernel.weight.numel() == 9  # type: ignore[union-attr]


@pytest.mark.parametrize("damage", [CONTENT[:-1], b"W" + CONTENT[1:], None])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: bytes | None) -> None:
    entry = WeightsFile("kernel-2", "w", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    path = tmp_path / "w"
    path.write_bytes(CONTENT)
    verify(path, entry)
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(KdError, match="fetch or install it again"):
        verify(path, entry)


def test_damaged_bundled_weights_stop_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernel.safetensors").write_bytes(CONTENT)
    monkeypatch.setattr(locate, "PACKAGE", tmp_path)
    with pytest.raises(KdError, match="damaged"):
        load_models("cpu")


def test_a_file_that_changed_since_is_refused(toys: Path, tmp_path: Path) -> None:
    write_package(tmp_path / "p", [toys / "kernel.safetensors"])
    path = tmp_path / "p" / "kernel.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(KdError, match="is damaged"):
        load_models("cpu", str(tmp_path / "p"))


def test_a_pickle_with_the_right_checksum_runs_nothing(tmp_path: Path) -> None:
    data = pickle.dumps(Bomb(tmp_path / "trace"))
    (tmp_path / "k.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    entry = {"architecture": "kernel-2", "file": "k.safetensors", "bytes": len(data), "sha256": digest}
    (tmp_path / "config.json").write_text(json.dumps({"kernel": entry}))
    with pytest.raises(KdError, match="is damaged"):
        load_models("cpu", str(tmp_path))
    assert not (tmp_path / "trace").exists()


def claiming(toys: Path, folder: Path, role: str, architecture: str) -> str:
    """A package of a toy network that says it were of another architecture."""
    write_package(folder, [toys / f"{role}.safetensors"])
    config = folder / "config.json"
    config.write_text(config.read_text().replace(f"toy-{role}-1", architecture))
    return str(folder)


def test_weights_for_a_newer_kd(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(KdError, match=r"'kernel-99', which this kd does not know .*: update kd"):
        load_models("cpu", claiming(toys, tmp_path / "p", "kernel", "kernel-99"))


def test_weights_for_an_older_kd(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(KdError, match=r"'solver-3' are of kd 0.7 or older"):
        load_models("cpu", claiming(toys, tmp_path / "p", "solver", "solver-3"))


def test_weights_of_another_network_by_their_shapes(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another network"):
        load_models("cpu", claiming(toys, tmp_path / "p", "solver", "solver-5"))
