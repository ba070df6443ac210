"""Which options there are, and how they are set elsewhere than on the command line."""

from __future__ import annotations

import inspect
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from typer.core import TyperGroup, TyperOption

from kdcli.cli.optional_values import may_go_without
from kdcli.errors import UsageError

Command = tuple[str, ...]
"""The words that call a command, without kd; none of them stands for all commands."""

OTHER_VARIABLES = ("KD_DEBUG", "KD_WEIGHTS_FILE")
"""Variables that kd knows and that are no option's."""

_TYPES: dict[Any, tuple[Any, str]] = {
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
}


@dataclass(frozen=True)
class Known:
    """An option of a command.

    Attributes:
        command: whose option it is.
        callback: what the command runs.
        option: as Typer has it.
    """

    command: Command
    callback: Any
    option: TyperOption

    @property
    def key(self) -> str:
        """What kd.toml calls it."""
        return key(self.option)

    def accept(self, value: Any) -> Any:
        """A value from kd.toml, as Typer takes it.

        Raises:
            UsageError: it is of another type.
        """
        kind = get_type_hints(inspect.unwrap(self.callback))[self.option.name]
        if NoneType in get_args(kind):
            kind = next(part for part in get_args(kind) if part is not NoneType)
        if may_go_without(self.option) and isinstance(value, bool):
            return str(value).lower()
        if get_origin(kind) is list:
            return [self._fit(str, item) for item in (value if isinstance(value, list) else [value])]
        return self._fit(kind, value)

    def _fit(self, kind: Any, value: Any) -> Any:
        types, words = _TYPES.get(kind, (str, "a text in quotes"))
        if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"{self.key} is {value!r}: write {words}")
        # On a command line, the shell does this.
        return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value


class KnownOptions:
    """All options of a program's commands, but none of its own, such as `--version`.

    Args:
        program: what Typer makes of an app.
    """

    def __init__(self, program: Any) -> None:
        self.commands = dict(_commands(program))
        self.all = [
            Known(name, command.callback, option)
            for name, command in self.commands.items()
            for option in command.params
            if isinstance(option, TyperOption)
        ]

    def named(self, command: Command, key: str) -> list[Known]:
        """The options that a key of kd.toml sets, in the table of a command or outside of all tables.

        Raises:
            UsageError: there is no such command or option, or options of that name mean several things.
        """
        table = f"[{'.'.join(command)}]"
        if command and command not in self.commands:
            names = [".".join(name) for name in self.commands]
            raise UsageError(f"there is no command for {table}{_hint('.'.join(command), names)}")
        here = [known for known in self.all if not command or known.command == command]
        found = [known for known in here if known.key == key]
        if not found:
            hint = _hint(key, {known.key for known in here})
            raise UsageError(f"{table if command else 'kd'} has no option {key}{hint}")
        if not command and not _mean_the_same(found):
            tables = ", ".join(f"[{'.'.join(known.command)}]" for known in found)
            raise UsageError(
                f"{key} means different things to different commands: put it below one of {tables}"
            )
        return found

    def name_variables(self) -> None:
        """Let variables set every option: `KD_DEBLUR_SEED` that of one command, and `KD_SEED` that of all.

        Options that mean different things have no variable in common, and none gets one that is taken. An
        option with a variable of its own keeps just that.
        """
        taken = {*OTHER_VARIABLES, *(name for known in self.all for name in variables(known.option))}
        by_key = defaultdict(list)
        for known in self.all:
            by_key[known.key].append(known)
        for key, several in by_key.items():
            common = {_variable(key)} - taken if _mean_the_same(several) else ()
            for known in several:
                if known.option.envvar is None:
                    known.option.envvar = [_variable(*known.command, key), *common]
                    known.option.show_envvar = False  # one rule says it all, and is told once


def key(option: TyperOption) -> str:
    """The long name of an option, without the dashes: what kd.toml calls it."""
    return next(name[2:] for name in option.opts if name.startswith("--"))


def variables(option: TyperOption) -> list[str]:
    """The variables that set an option, the first first."""
    named = option.envvar or []
    return [named] if isinstance(named, str) else list(named)


def _commands(group: Any, above: Command = ()) -> Iterator[tuple[Command, Any]]:
    commands: Mapping[str, Any] = group.commands
    for name, command in commands.items():
        yield (*above, name), command
        if isinstance(command, TyperGroup):
            yield from _commands(command, (*above, name))


def _mean_the_same(several: list[Known]) -> bool:
    """Whether options of one name are one option that several commands have: they are described alike."""
    return len({known.option.help for known in several}) == 1


def _variable(*words: str) -> str:
    return "_".join(("KD", *words)).upper().replace("-", "_")


def _hint(word: str, known: Any) -> str:
    close = get_close_matches(word, known, 1)
    return f": did you mean {close[0]}?" if close else ""
