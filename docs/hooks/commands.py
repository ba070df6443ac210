"""The page of commands, made from the program itself at every build, so that it cannot drift from it."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer

PAGE = "commands.md"
INTRODUCTION = """# Commands and options

Made from the program that this site was built with; `kd COMMAND --help` says the same. The input is never
changed, nothing is overwritten without `--overwrite`, progress goes to stderr and results to stdout.
"""


def on_files(files: Any, config: Any) -> Any:
    """Called by MkDocs: puts the page among the files of `docs/`."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PAGE, content=reference()))
    return files


def reference() -> str:
    """The page, in Markdown."""
    from kdcli.cli import app

    program = typer.main.get_command(app)
    context = program.context_class(program, info_name="kd")
    return "\n".join([INTRODUCTION, *_section(program, context)])


def _section(command: Any, context: Any) -> Iterator[str]:
    """A command, its options by panel, and the commands below it."""
    yield f"## {context.command_path}\n"
    yield f"```\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield f"{_prose(command.help or '')}\n"
    hints = get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    panels = defaultdict(list)
    for param in command.get_params(context):
        if not getattr(param, "hidden", False) and "--help" not in param.opts:
            is_option = param.param_type_name == "option"
            panels[(is_option and getattr(param, "rich_help_panel", None)) or ""].append(param)
    for panel, params in panels.items():
        if panel:
            yield f"**{panel}**\n"
        for param in params:
            value = _value(param, hints.get(param.name))
            yield f"{_names(param, value)}\n:   {_meaning(param, value)}\n"
    for name, sub in getattr(command, "commands", {}).items():
        yield from _section(sub, sub.context_class(sub, info_name=name, parent=context))


def _names(param: Any, value: str) -> str:
    """`--output OUT`, `-o`."""
    if param.param_type_name == "argument":
        return f"`{value}`"
    names = [f"`{name} {value}`" if value and name.startswith("--") else f"`{name}`" for name in param.opts]
    return ", ".join(names)


def _value(param: Any, hint: Any) -> str:
    """What stands for the value: OUT, N, a|b; nothing for a flag."""
    if getattr(param, "is_flag", False):
        return ""
    if param.metavar:
        return str(param.metavar)
    kind = next((part for part in get_args(hint) if part is not NoneType), hint)  # T of T | None
    if get_origin(hint) is Literal:
        return "|".join(get_args(hint))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    if param.param_type_name == "argument":
        return str(param.name).upper()
    return {int: "N", float: "X", Path: "PATH"}.get(kind, "TEXT")


def _meaning(param: Any, value: str) -> str:
    """The help, with the range and the default."""
    words = [_prose(param.help or "")]
    bounds = param if hasattr(param, "min") else param.type  # Typer moved them
    low, high = getattr(bounds, "min", None), getattr(bounds, "max", None)
    if low is not None or high is not None:
        words.append(f"At least {low}." if high is None else f"From {low} to {high}.")
    if param.required:
        words.append("*Required.*")
    elif isinstance(param.show_default, str):
        words.append(f"*Default: {_prose(param.show_default)}.*")
    elif param.show_default and param.default is not None and value:
        words.append(f"*Default: {_prose(str(getattr(param.default, 'value', param.default)))}.*")
    if isinstance(param.envvar, str):
        words.append(f"*Also the variable `{param.envvar}`.*")
    return " ".join(words)


def _prose(text: str) -> str:
    """Help text as Markdown: options and what is in backticks are code, and nothing else of it is markup."""
    text = text.replace("\\[", "[").replace(str(Path.home()), "~")
    code = r"`[^`]*`|(?<![\w-])--[a-z][a-z0-9-]*"
    return "".join(
        f"`{part.strip('`')}`" if re.fullmatch(code, part) else _plain(part)
        for part in re.split(f"({code})", text)
    )


def _plain(text: str) -> str:
    text = re.sub(r"([\\*_\[\]#])", r"\\\1", text)
    return text.replace("<", "&lt;").replace(">", "&gt;")  # Markdown knows no backslash before these
