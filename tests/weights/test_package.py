"""The folder that goes to the Hub says what is in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.weights.package import push, write_package
from kdcli.weights.source import from_path


@pytest.fixture
def package(toys: Path, tmp_path: Path) -> Path:
    (tmp_path / "s.png").write_bytes(b"picture")
    files = [toys / "kernel.safetensors", toys / "solver.safetensors"]
    write_package(tmp_path / "upload", files, licence="CC-BY-4.0", samples=tmp_path / "s.png")
    return tmp_path / "upload"


def test_everything_is_in_it(package: Path, toys: Path) -> None:
    names = {"config.json", "README.md", "samples.png", "kernel.safetensors", "solver.safetensors"}
    assert {path.name for path in package.iterdir()} == names
    assert (package / "kernel.safetensors").read_bytes() == (toys / "kernel.safetensors").read_bytes()
    weights = from_path(package)
    assert (weights.licence, weights.data, weights.quality) == (
        "CC-BY-4.0",
        "3 photos",
        "mnc 0.123, mnc1 0.100",
    )


def test_the_card_has_what_was_measured(package: Path) -> None:
    card = (package / "README.md").read_text()
    assert card.startswith("---\n")
    for words in (
        "| mnc | 0.123 |",
        "4 pairs from 2 photos held out",
        "CC-BY-4.0",
        "`kd train kernel`",
        "samples.png",
    ):
        assert words in card


def test_making_it_again_replaces_it(package: Path, toys: Path) -> None:
    write_package(package, [toys / "kernel.safetensors"])
    assert set(from_path(package).files) == {"kernel"}


def test_words_that_are_no_line_do_no_harm(toys: Path, tmp_path: Path) -> None:
    from kdcli.weights.store import load_state, save_weights
    from tests.weights.conftest import toy

    network = toy()
    network.load_state_dict(load_state(toys / "kernel.safetensors"))
    words = {"architecture": "toy-kernel-1", "data": "photos of\n\x1b[2J" + "x" * 3000}
    save_weights(network, tmp_path / "odd.safetensors", words)
    write_package(tmp_path / "upload", [tmp_path / "odd.safetensors"])
    assert from_path(tmp_path / "upload").data.startswith("photos of  [2Jxxx")


def test_what_changed_since_is_not_pushed(package: Path) -> None:
    (package / "solver.safetensors").write_bytes(b"x")
    with pytest.raises(KdError, match="damaged"):
        push(package, "me/kd")


@pytest.mark.parametrize("name", ["config.json", "README.md"])
def test_half_a_package_is_not_pushed(package: Path, name: str) -> None:
    (package / name).unlink()
    with pytest.raises(UsageError, match=f"has no {name}"):
        push(package, "me/kd")


@pytest.mark.parametrize("repository", ["me", "me/kd/x", "../kd", "hf://me/kd", ""])
def test_what_no_repository_is_called(package: Path, repository: str) -> None:
    with pytest.raises(UsageError, match="is no repository"):
        push(package, repository)


def test_a_config_that_leads_elsewhere_is_not_pushed(package: Path, tmp_path: Path) -> None:
    config = json.loads((package / "config.json").read_text())
    config["kernel"]["file"] = "../s.safetensors"
    (package / "config.json").write_text(json.dumps(config))
    with pytest.raises(KdError, match="plain name"):
        push(package, "me/kd")
