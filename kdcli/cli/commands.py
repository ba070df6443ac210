"""What kd's commands have in common, whatever they do."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import shorten
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from kdcli.cli.config import origins_told
from kdcli.cli.optional_values import attach_values, may_go_without

_Function = TypeVar("_Function", bound=Callable[..., Any])


class KdCommand(TyperCommand):
    """A command with `--no-FLAG` for every flag, and options whose value may be left out."""

    def make_parser(self, ctx: Any) -> Any:
        """The parser that Typer makes, and the undoing of what settings may have done."""
        return _with_undoing(self, super().make_parser(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Settle which words are values, which neither Typer nor Click can express, then parse."""
        valued = {name for param in self.params if not _is_flag(param) for name in param.opts}
        optional = {name for param in self.params if may_go_without(param) for name in param.opts}
        return super().parse_args(ctx, attach_values(args, valued, optional))

    def invoke(self, ctx: Any) -> Any:
        """Run it; what it finds wrong with a setting is told with its origin."""
        with origins_told(ctx):
            return super().invoke(ctx)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """What Tab offers."""
        return _in_short(super().shell_complete(ctx, incomplete))


class KdGroup(TyperGroup):
    """A group of commands which has options too, and may be run without a command."""

    def make_parser(self, ctx: Any) -> Any:
        """As for `KdCommand`."""
        return _with_undoing(self, super().make_parser(ctx))

    def invoke(self, ctx: Any) -> Any:
        """As for `KdCommand`."""
        with origins_told(ctx):
            return super().invoke(ctx)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """As for `KdCommand`."""
        return _in_short(super().shell_complete(ctx, incomplete))


class Commands(typer.Typer):
    """A `typer.Typer` of such commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=KdGroup, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_Function], _Function]:
        """As Typer's own."""
        return super().command(name, cls=KdCommand, **settings)


def _with_undoing(command: Any, parser: Any) -> Any:
    """Let the parser take `--no-FLAG`, which `--help` spares its readers.

    The command line comes first, and without it could not undo a flag that is set in kd.toml.
    """
    for param in command.params:
        if _is_flag(param) or may_go_without(param):
            undoing = [f"--no-{name[2:]}" for name in param.opts if name.startswith("--")]
            undone = False if _is_flag(param) else "false"
            parser.add_option(obj=param, opts=undoing, dest=param.name, action="store_const", const=undone)
    return parser


def _in_short(items: list[Any]) -> list[Any]:
    """Completions, described in half a line: what Typer breaks into lines, fish offers as further words."""
    for item in items:
        item.help = shorten(item.help or "", 50, placeholder=" ...")
    return items


def _is_flag(param: Any) -> bool:
    return getattr(param, "is_flag", False)
