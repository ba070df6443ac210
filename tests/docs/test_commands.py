"""Every `kd` command that the documentation shows: it is understood, and does what can be done in a test."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from kdcli.cli import app, run
from kdcli.files.psf import write_psf
from tests.conftest import FakeEngine
from tests.docs.written import PAGES, ROOT, Written, all_commands, commands

WRITTEN = all_commands()
WHOLE = [command for command in WRITTEN if command.whole]
CHEAP = {("--version",), ("--show-config", "deblur"), ("weights", "list"), ("weights", "verify")}


def parse(words: tuple[str, ...]) -> Any:
    """The context of the command that these words call, parsed and not run."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("kd", list(words))
    while getattr(command, "commands", None) and context._protected_args:
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    return context


def mistake(words: tuple[str, ...]) -> str:
    """Why these words cannot be parsed; empty if they can."""
    try:
        parse(words)
    except typer.Exit:  # --help and --version, which answer while they are parsed
        return ""
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return f"{type(error).__name__}: {error.format_message()}"
    return ""


def test_the_commands_are_found() -> None:
    text = """
`kd weights list` and `other kd`
```sh
FOO=1 .venv/bin/kd deblur 'a b.jpg' \\
    -o out.png > log   # a comment
find . -print0 | kd deblur --files0-from - -o out/
for set in a b; do kd bench --dataset $set; done && kd --version
docker run -v $PWD:/photos kd:cuda deblur /photos/a.jpg
```
```python
kd.deblur(x)
```
"""
    assert [(command.words, command.whole) for command in commands(text)] == [
        (("deblur", "a b.jpg", "-o", "out.png"), True),
        (("deblur", "--files0-from", "-", "-o", "out/"), True),
        (("bench", "--dataset", "$set"), True),
        (("--version",), True),
        (("deblur", "/photos/a.jpg"), True),
        (("weights", "list"), False),
    ]
    assert {command.page for command in WHOLE} >= {"README.md", "docs/index.md"}


def test_a_mistake_is_noticed() -> None:
    assert "--sharpness" in mistake(("deblur", "photo.jpg", "--sharpness", "2"))
    assert "No such command" in mistake(("sharpen", "photo.jpg"))
    assert "Missing" in mistake(("train", "kernel"))
    assert "blurry" in mistake(("synth", "photos/", "-o", "set/", "--kernels", "blurry"))


@pytest.mark.parametrize("command", WHOLE, ids=str)
def test_what_can_be_typed_is_understood(command: Written) -> None:
    assert mistake(command.words) == ""


@pytest.mark.parametrize("command", [c for c in WRITTEN if not c.whole], ids=str)
def test_what_is_mentioned_exists(command: Written) -> None:
    """Its options and commands do; a sentence may leave out `deblur`, and values that must be given."""
    words = tuple(word for word in command.words if word not in ("COMMAND", "...", "kernel|solver"))
    if words[0] == "--install-completion":
        return  # which would, while it is parsed; tests/cli/test_completion.py tries it
    mistakes = [mistake(words), *([mistake(("deblur", *words))] if words[0].startswith("--") else [])]
    assert {text.partition(":")[0] for text in mistakes} & {"", "BadOptionUsage", "MissingParameter"}


@pytest.mark.parametrize(
    "command", [c for c in WHOLE if c.words[0] in ("deblur", "estimate-kernel")], ids=str
)
def test_photos_are_restored(
    command: Written,
    engine: FakeEngine,
    photo_file: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """With a stand-in for the engine, in a folder that has the photos and kernels which the command reads."""
    monkeypatch.chdir(tmp_path)
    # The container's folder, and a store.
    words = [word.removeprefix("/photos/").removeprefix("s3://") for word in command.words]
    params = parse(tuple(words)).params
    for name in inputs(params):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        photo_file(name)
    if params.get("psf"):
        write_psf(Path(params["psf"]), np.eye(64, dtype=np.float32) / 64)
    if "--jobs" in words:  # the processes that it starts know nothing of the stand-in
        words[words.index("--jobs") + 1] = "1"
    for option in ("--engine", "--ray-address"):  # nor do those of a cluster
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
    stdin, photo = tmp_path / "stdin", photo_file("photo.jpg")
    stdin.write_bytes(b"photo.jpg\0" if params.get("files0_from") else photo.read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with stdin.open() as opened:
        monkeypatch.setattr(sys, "stdin", opened)
        code = run(words)
    said = capfdbinary.readouterr()
    assert code == 0, said.err.decode()
    assert engine.calls
    assert {path: path.read_bytes() for path in before} == before
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - set(before)
    assert written or said.out
    if "--json" in words:
        assert json.loads(said.out)["status"] == "done"


def inputs(params: dict[str, Any]) -> list[str]:
    """Names of photos that a command's IN means: for a folder, one in it; for a pattern, one that it fits."""
    words = params["photos"] if "photos" in params else [str(params["photo"])]
    whole = [word for word in words or [] if word != "-"]
    return [f"{word}one.jpg" if word.endswith("/") else word.replace("*", "one") for word in whole]


@pytest.mark.parametrize("command", [c for c in WHOLE if c.words in CHEAP], ids=str)
def test_what_costs_nothing_is_run(command: Written, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(list(command.words)) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", [c for c in WHOLE if c.words[0] == "bench"], ids=str)
def test_benchmarks_name_what_there_is(command: Written) -> None:
    """Data sets, methods and presets are checked by the commands themselves, which are not run here."""
    from kdcli.bench.datasets import NAMED
    from kdcli.bench.methods import make_method
    from kdcli.engine.options import Options, make_options

    context = parse(command.words)
    if context.info_name == "compare":
        return
    dataset = context.params["dataset"]
    assert dataset in NAMED or dataset.startswith("$") or "/" in dataset
    make_options(context.params["preset"])
    for method in context.params["method"] or []:
        name, _, variant = method.partition(":")
        assert name in ("kd", "oracle") or make_method(method, Options(), _no_models)
        assert name != "kd" or variant in ("", "unguided", "unrefined") or make_options(variant)


def _no_models() -> Any:
    raise AssertionError("this method needs no networks")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"(?:\[|\(\.\./|`|\()((?:kdcli|tests|docs)(?:/[\w.-]+)+/?)", page.read_text("utf-8"))
    assert [path for path in sorted(set(named)) if not (ROOT / path).exists()] == []
