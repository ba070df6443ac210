"""The register: what it may say, and what it must not."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.weights import register
from kdcli.weights.architectures import ARCHITECTURES, ROLES
from kdcli.weights.register import (
    DEFAULT,
    PACKAGE,
    UNKNOWN,
    own_register,
    parse_set,
    read_bundled,
    read_register,
    read_sets,
)

ENTRY = {"architecture": "kernel-2", "file": "k.safetensors", "bytes": 5, "sha256": "0" * 64}
COMMIT = "a" * 40


def test_the_default_set_says_everything() -> None:
    default = read_bundled()[DEFAULT]
    assert {ARCHITECTURES[entry.architecture].role for entry in default.files.values()} == set(ROLES)
    assert UNKNOWN not in (default.licence, default.data, default.quality)
    assert (default.repo_id, default.folder) == (None, None)
    assert default.bytes <= 30e6
    for entry in default.files.values():
        assert (PACKAGE / entry.file).stat().st_size == entry.bytes


@pytest.mark.parametrize("text", ["default = [", "\udcff", "default = 3", "[a.b.c]", "['../x'.kernel]\n"])
def test_a_damaged_register_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "weights.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(KdError, match=r"weights\.toml is damaged") as caught:
        read_sets(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        ("file", "../../etc/passwd.safetensors", "plain name"),
        ("file", "/etc/k.safetensors", "plain name"),
        ("file", "sub/k.safetensors", "plain name"),
        ("file", "..\\k.safetensors", "plain name"),
        ("file", "C:k.safetensors", "plain name"),
        ("file", ".safetensors", "plain name"),
        ("file", "k.pt", "plain name"),
        ("file", "k.safetensors\x1b[2J", "plain name"),
        ("file", 3, "plain name"),
        ("file", None, "plain name"),
        ("bytes", 0, "bytes"),
        ("bytes", True, "bytes"),
        ("bytes", "5", "bytes"),
        ("bytes", None, "bytes"),
        ("sha256", "0" * 63, "sha256"),
        ("sha256", "Z" * 64, "sha256"),
        ("sha256", None, "sha256"),
        ("architecture", None, "no architecture"),
        ("architecture", "../x", "no architecture"),
        ("architecture", "solver-5", "is a solver"),
    ],
)
def test_what_an_entry_must_not_say(part: str, value: object, reason: str) -> None:
    entry = {key: item for key, item in {**ENTRY, part: value}.items() if item is not None}
    with pytest.raises(ValueError, match=reason):
        parse_set("mine", {"kernel": entry})


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({}, "neither"),
        ({"kernel": 3}, "no table"),
        ({"kernel": ENTRY, "licence": "MIT\x1b]0;owned\x07"}, "one line"),
        ({"kernel": ENTRY, "data": "two\nlines"}, "one line"),
        ({"kernel": ENTRY, "quality": "x" * 2000}, "one line"),
        ({"kernel": ENTRY, "quality": 0.8}, "one line"),
    ],
)
def test_what_a_set_must_not_say(table: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_set("mine", table)


def written(path: Path, **place: str) -> Path:
    entry = "".join(f"{key} = {json.dumps(value)}\n" for key, value in ENTRY.items())
    path.write_text(
        "[mine]\n" + "".join(f'{k} = "{v}"\n' for k, v in place.items()) + f"[mine.kernel]\n{entry}"
    )
    return path


def test_a_newer_architecture_stops_nobody_who_does_not_use_it() -> None:
    assert parse_set("mine", {"kernel": {**ENTRY, "architecture": "kernel-99"}}).files


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"repo_id": "me/kd"}, "40 digits"),
        ({"repo_id": "me/kd", "revision": "main"}, "40 digits"),
        ({"revision": COMMIT}, "OWNER/REPO"),
        ({"repo_id": "../kd", "revision": COMMIT}, "OWNER/REPO"),
        ({"repo_id": "me/kd/x", "revision": COMMIT}, "OWNER/REPO"),
        ({"repo_id": "me/kd", "revision": COMMIT, "folder": "x"}, "both"),
    ],
)
def test_a_place_on_the_hub_is_pinned(tmp_path: Path, place: dict[str, str], reason: str) -> None:
    with pytest.raises(KdError, match=reason):
        read_sets(written(tmp_path / "weights.toml", **place))


def test_a_folder_is_seen_from_the_register(tmp_path: Path) -> None:
    assert read_sets(written(tmp_path / "a.toml", folder="far"))["mine"].folder == tmp_path / "far"
    assert read_sets(written(tmp_path / "b.toml", folder="/far"))["mine"].folder == Path("/far")
    pinned = read_sets(written(tmp_path / "c.toml", repo_id="me/kd", revision=COMMIT))["mine"]
    assert (pinned.repo_id, pinned.revision, pinned.licence) == ("me/kd", COMMIT, UNKNOWN)


class TestOwnRegister:
    """The user's own extends kd's."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in ("KD_WEIGHTS_FILE", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        return tmp_path

    def test_there_need_not_be_one(self) -> None:
        assert list(read_register()) == list(read_bundled())

    def test_it_lies_in_the_home(self, home: Path) -> None:
        (home / ".config/kd").mkdir(parents=True)
        written(home / ".config/kd/weights.toml", folder="far")
        assert list(read_register()) == [DEFAULT, "mine"]

    def test_or_where_the_environment_says(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written(home / "own.toml", folder="far")
        monkeypatch.setenv("KD_WEIGHTS_FILE", "~/own.toml")
        assert own_register() == home / "own.toml"
        assert "mine" in read_register()

    def test_a_set_of_its_own_wins(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = written(home / "own.toml", folder="far").read_text().replace("mine", "default")
        (home / "own.toml").write_text(text)
        monkeypatch.setenv("KD_WEIGHTS_FILE", str(home / "own.toml"))
        assert read_register()[DEFAULT].folder == home / "far"

    def test_one_that_is_named_must_exist(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KD_WEIGHTS_FILE", str(home / "none.toml"))
        with pytest.raises(UsageError, match=r"none\.toml, which does not exist"):
            read_register()


def test_an_installation_without_a_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "PACKAGE", tmp_path / "kdcli" / "weights")
    with pytest.raises(KdError, match="install kdcli again"):
        read_bundled()


def test_any_table_of_json_is_taken_or_refused() -> None:
    """Whatever a repository's config.json holds, nothing but a ValueError comes of it."""
    odd: list[Any] = [None, True, 0, -1, 1e300, "", "x", [], {}, [[]], {"kernel": {}}]
    for value in odd:
        for table in (value, {"kernel": value}, *({"kernel": {**ENTRY, key: value}} for key in ENTRY)):
            with suppress(ValueError):
                assert parse_set("mine", table).files["kernel"].architecture == value == "x"
