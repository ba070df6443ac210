"""`kd --show-config`: every option's value, and where it comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from typer.core import TyperOption

from kdcli.cli.config import Config, config_files, origin
from kdcli.cli.known import OTHER_VARIABLES, Command, KnownOptions, key, variables
from kdcli.cli.optional_values import may_go_without


def show_config(program: Any, options: KnownOptions, only: str | None = None) -> Iterator[str]:
    """The lines of a kd.toml that says what is in force.

    Args:
        program: its context.
        only: the command that is shown, instead of all.

    Raises:
        UsageError, or Typer's own errors: a value cannot be.
    """
    config = program.find_object(Config)
    for file in config_files():
        yield f"# {file}: {'read' if file in config.files else 'not there'}"
    known = {name for one in options.all for name in variables(one.option)} | {*OTHER_VARIABLES}
    for name in sorted(name for name in os.environ if name.startswith("KD_") and name not in known):
        yield f"# {name} is set, but names no option"
    for command in options.commands:
        if only is None or command[0] == only:
            own = [known.option for known in options.all if known.command == command]
            if own:
                yield from ("", f"[{'.'.join(command)}]", *_table(_context(program, command), own))


def _context(program: Any, command: Command) -> Any:
    """The context that a command would run in, though without a command line."""
    context = program
    for word in command:
        inner = context.command.commands[word]
        context = inner.context_class(inner, info_name=word, parent=context)
    return context


def _table(context: Any, own: list[TyperOption]) -> Iterator[str]:
    for option in own:
        value, source = option.consume_value(context, {})
        context.set_parameter_source(option.name, source)
        if value is not None:
            value = option.process_value(context, value)
        if value is None:
            default = option.show_default
            yield f"# {key(option)}: {default if isinstance(default, str) else 'not set'}"
        else:
            bare = value == "" and may_go_without(option)
            setting = f"{key(option)} = {_toml(True if bare else value)}"
            yield f"{setting:<30}  # {origin(context, option) or 'default'}"


def _toml(value: Any) -> str:
    """A value as TOML writes it, which is as JSON does."""
    plain = value.value if isinstance(value, Enum) else str(value) if isinstance(value, Path) else value
    return json.dumps(plain, ensure_ascii=False)
