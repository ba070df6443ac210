"""A user's own settings: options that `kd.toml` and `KD_*` variables give where the command line does not."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.core import TyperOption

from kdcli.cli.known import Command, Known, KnownOptions, variables
from kdcli.errors import UsageError
from kdcli.files.user import config_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "kd.toml"


def config_files() -> list[Path]:
    """Where settings are looked for, the first first: the current folder, and the user's own."""
    return [Path(FILE), config_folder() / FILE]


@dataclass
class Config:
    """What the files say.

    Attributes:
        files: those that are there.
        default_map: values by the names of commands and options, as Typer takes them.
        origins: the file that sets an option, by its command and Typer's name for it.
    """

    files: list[Path] = field(default_factory=list)
    default_map: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[Command, str], Path] = field(default_factory=dict)


def read_config(options: KnownOptions) -> Config:
    """The settings of all files; of two that set the same, the first counts.

    Raises:
        UsageError: a file cannot be read, or something in it is unknown or of the wrong type.
    """
    config = Config()
    for file in config_files():
        if not os.path.lexists(file):
            continue
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # of TOML, and of its encoding
            raise UsageError(f"{file} is no TOML: {error}") from error
        config.files.append(file)
        try:
            found = {(known.command, known.option.name): value for known, value in _settings(tables, options)}
            if file == Path(FILE):
                _refuse_machines(found)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from error
        for (command, name), value in found.items():
            if (command, name) not in config.origins:
                config.origins[command, name] = file
                _table(config.default_map, command)[name] = value
    return config


def _settings(
    tables: dict[str, Any], options: KnownOptions, command: Command = ()
) -> Iterator[tuple[Known, Any]]:
    """All settings, those for all commands first, so that those for one command replace them."""
    for key, value in sorted(tables.items(), key=lambda item: isinstance(item[1], dict)):
        if isinstance(value, dict):
            yield from _settings(value, options, (*command, key))
        else:
            _refuse_programs(key, value)
            for known in options.named(command, key):
                yield known, known.accept(value)


def _refuse_programs(key: str, value: Any) -> None:
    """A file may come with a folder from anywhere: it must not choose what is run."""
    for word in value if isinstance(value, list) else [value]:
        if isinstance(word, str) and word.startswith("cmd:"):
            raise UsageError(f"{key} names a program to run: that is for the command line alone")


def _refuse_machines(found: Iterable[tuple[Command, str | None]]) -> None:
    """A cluster runs code here: the folder that photos come in must not choose whose."""
    if any(name == "ray_address" for _, name in found):
        where = f"name the cluster in {config_files()[-1]}, by a variable or on the command line"
        raise UsageError(f"ray-address is not for a folder's own settings: {where}")


def _table(tables: dict[str, Any], command: Command) -> dict[str, Any]:
    for word in command:
        tables = tables.setdefault(word, {})
    return tables


def origin(ctx: Any, option: TyperOption) -> str | None:
    """The variable or file that set an option of the command of a context, or None."""
    source = ctx.get_parameter_source(option.name)
    if source is not None and source.name == "ENVIRONMENT":
        return next(name for name in variables(option) if os.environ.get(name))
    config = ctx.find_object(Config)
    if source is not None and source.name == "DEFAULT_MAP" and config is not None:
        return str(config.origins[_command(ctx), option.name])
    return None


def typed(ctx: Any, name: str) -> bool:
    """Whether an option is given on the command line, rather than by a setting or not at all."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _command(ctx: Any) -> Command:
    return () if ctx.parent is None else (*_command(ctx.parent), ctx.info_name)


def origins(ctx: Any, message: str) -> list[str]:
    """Where the options that an error is about come from, if not from the command line, which is plain."""
    return [
        f"{flag} is set by {place}"
        for option in ctx.command.params
        for flag in option.opts
        if flag.startswith("--")
        and re.search(rf"{flag}(?![\w-])|^{flag[2:]} is ", message)
        and (place := origin(ctx, option))
    ]


@contextmanager
def origins_told(ctx: Any) -> Iterator[None]:
    """Add to wrong usage that comes up inside where it comes from."""
    try:
        yield
    except UsageError as error:
        found = origins(ctx, str(error))
        raise UsageError(f"{error} ({'; '.join(found)})" if found else str(error)) from error
