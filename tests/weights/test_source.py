"""What --weights may name, as far as no network is needed."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.weights.package import write_package
from kdcli.weights.register import read_bundled
from kdcli.weights.source import find_weights, network_file


@pytest.fixture(autouse=True)
def no_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("KD_WEIGHTS_FILE", str(tmp_path / "empty.toml"))


def test_a_name() -> None:
    assert find_weights("default") == read_bundled()["default"]


@pytest.mark.parametrize("text", ["nope", "no/such/folder", "none.safetensors", "../default", ""])
def test_what_is_nothing(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "void").mkdir()
    monkeypatch.chdir(tmp_path / "void")
    with pytest.raises(UsageError, match=r"unknown weights|holds neither"):
        find_weights(text)


@pytest.mark.parametrize(
    "text",
    [
        "hf://",
        "hf://me",
        "hf://me/kd/x",
        "hf://me/kd@",
        "hf://me/kd@a@b",
        "hf://me/kd@../../x",
        "hf://me/kd@a/b",
        "hf://../kd",
        "hf://me/..",
        "hf://me/kd@x\n",
        "hf://datasets/me/kd",
    ],
)
def test_what_no_repository_is_called(text: str) -> None:
    with pytest.raises(UsageError, match="write hf://OWNER/REPO"):
        find_weights(text)


def test_a_file_is_taken_for_what_it_says_it_is(toys: Path) -> None:
    found = find_weights(str(toys / "solver.safetensors"))
    assert (found.name, found.folder) == (str(toys / "solver.safetensors"), toys)
    assert {role: entry.architecture for role, entry in found.files.items()} == {"solver": "toy-solver-1"}


def test_a_folder_of_files(toys: Path) -> None:
    assert set(find_weights(str(toys)).files) == {"kernel", "solver"}
    shutil.copy(toys / "kernel.safetensors", toys / "again.safetensors")
    with pytest.raises(UsageError, match="several networks of a kind"):
        find_weights(str(toys))


def test_a_folder_with_a_config_is_what_that_says(toys: Path, tmp_path: Path) -> None:
    write_package(tmp_path / "p", [toys / "kernel.safetensors"], licence="MIT")
    shutil.copy(toys / "solver.safetensors", tmp_path / "p")
    found = find_weights(str(tmp_path / "p"))
    assert (found.licence, found.data, set(found.files)) == ("MIT", "3 photos", {"kernel"})


@pytest.mark.parametrize(
    "config",
    [b"", b"{", b"[]", b"\xff", b"[" * 50_000, b'"x"', b" " * 200_000, json.dumps({"kernel": 3}).encode()],
)
def test_a_damaged_config_is_one_clear_line(tmp_path: Path, config: bytes) -> None:
    (tmp_path / "config.json").write_bytes(config)
    with pytest.raises(KdError, match=r"has no config\.json of weights for kd"):
        find_weights(str(tmp_path))


class Bomb:
    """Leaves a trace where unpickling runs code."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> object:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["weights.pt", "weights.bin", "weights.safetensors"])
def test_pickles_are_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    with pytest.raises(KdError, match=r"loads \.safetensors files only|is damaged"):
        find_weights(str(tmp_path / name))
    assert not (tmp_path / "trace").exists()


def test_one_network_for_training(toys: Path) -> None:
    assert network_file(str(toys), "solver") == toys / "solver.safetensors"
    assert network_file(str(toys / "solver.safetensors"), "solver") == toys / "solver.safetensors"
    assert network_file("default", "kernel").name == "kernel.safetensors"
    (toys / "kernel.safetensors").unlink()
    with pytest.raises(UsageError, match="have no kernel network"):
        network_file(str(toys), "kernel")
