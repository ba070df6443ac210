"""Adding to a register leaves the rest of it as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.weights.edit import add_set
from kdcli.weights.register import PACKAGE, WeightsFile, WeightsSet, read_bundled, read_sets

FILE = WeightsFile("kernel-2", "k.safetensors", 5, "0" * 64)
MINE = WeightsSet(
    "mine", {"kernel": FILE}, licence='"MIT" \\ é', data="x", repo_id="me/kd", revision="a" * 40
)


def test_a_first_set_makes_the_register(tmp_path: Path) -> None:
    path = tmp_path / "new" / "weights.toml"
    add_set(path, MINE)
    assert read_sets(path) == {"mine": MINE}


def test_the_rest_stays_word_for_word(tmp_path: Path) -> None:
    path = tmp_path / "weights.toml"
    other = replace(MINE, name="other", repo_id=None, revision=None, folder=tmp_path)
    for weights in (MINE, other):
        add_set(path, weights)
    path.write_text("# on top\n" + path.read_text().replace("[other]", "# of the other\n[other]  # here"))
    after = path.read_text().partition("# of the other")[2]
    changed = replace(MINE, licence="CC0")
    with pytest.raises(UsageError, match="--overwrite"):
        add_set(path, changed)
    add_set(path, changed, overwrite=True)
    assert read_sets(path) == {"mine": changed, "other": other}
    assert path.read_text().startswith(f"# on top\n\n# of the other{after}")
    assert path.read_text().count("[mine]") == 1


def test_the_files_of_the_package_get_no_folder(tmp_path: Path) -> None:
    """So that the register can be installed elsewhere."""
    add_set(tmp_path / "weights.toml", replace(read_bundled()["default"], folder=PACKAGE))
    assert read_sets(tmp_path / "weights.toml") == read_bundled()


@pytest.mark.parametrize("name", ["", "a b", "../x", "hf://x", "a.b", '"'])
def test_names_that_registers_cannot_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name"):
        add_set(tmp_path / "weights.toml", replace(MINE, name=name))


def test_what_cannot_be_edited_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "weights.toml"
    entry = f'{{architecture = "kernel-2", file = "k.safetensors", bytes = 5, sha256 = "{"0" * 64}"}}'
    text = f"mine = {{kernel = {entry}}}\n"
    path.write_text(text)
    with pytest.raises(KdError, match="by hand"):
        add_set(path, MINE, overwrite=True)
    assert path.read_text() == text


def test_a_damaged_register_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "weights.toml").write_text("[mine")
    for overwrite in (False, True):
        with pytest.raises(KdError, match="damaged"):
            add_set(tmp_path / "weights.toml", MINE, overwrite=overwrite)
    assert (tmp_path / "weights.toml").read_text() == "[mine"
