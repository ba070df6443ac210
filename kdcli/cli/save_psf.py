"""`--save-psf [FILE]`: an option whose value may be left out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from kdcli.errors import UsageError

FLAG = "--save-psf"


class SavePsfCommand(TyperCommand):
    """A command with one argument, IN, and `--save-psf`, bare or with a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Settle what belongs to `--save-psf`, which neither Typer nor Click can express, then parse."""
        valued = {
            name for param in self.params for name in param.opts if not getattr(param, "is_flag", False)
        }
        return super().parse_args(ctx, attach_value(args, valued))


def attach_value(args: list[str], valued: Collection[str]) -> list[str]:
    """Rewrite `--save-psf FILE` as `--save-psf=FILE`, and a bare `--save-psf` as `--save-psf=`.

    The word after the flag is its value, unless it is the only word that can be IN.

    Args:
        args: the words of the command line.
        valued: the options that take a value, `--save-psf` among them or not.
    """
    words = list(_split(args, valued))
    has_input = any(kind == "input" for kind, _ in words)
    rewritten: list[str] = []
    for kind, parts in words:
        if kind != "flag":
            rewritten += parts
        elif len(parts) == 1:
            rewritten.append(f"{FLAG}=")
        elif has_input:
            rewritten.append(f"{FLAG}={parts[1]}")
        else:
            rewritten += [f"{FLAG}=", parts[1]]
            has_input = True
    return rewritten


def _split(args: list[str], valued: Collection[str]) -> list[tuple[str, list[str]]]:
    """The command line in pieces: the flag with the word after it, options, and inputs."""
    pieces: list[tuple[str, list[str]]] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            pieces.append(("input" if rest else "option", [word, *rest]))
            break
        if word == FLAG:
            takes = bool(rest) and not rest[0].startswith("-")
            pieces.append(("flag", [word, rest.pop(0)] if takes else [word]))
        elif word in valued:
            pieces.append(("option", [word, *rest[:1]]))
            rest = rest[1:]
        else:
            pieces.append(("option" if word.startswith("-") and word != "-" else "input", [word]))
    return pieces


def psf_path(value: str | None, photo: Path) -> Path | None:
    """Where the kernel goes: nowhere (None), `<stem>.psf.png` in the current folder (""), or to `value`.

    Raises:
        UsageError: the value ends in neither .png nor .npy.
    """
    if value is None:
        return None
    if not value:
        return Path(f"{photo.stem}.psf.png")
    path = Path(value)
    if path.suffix.lower() not in (".png", ".npy"):
        raise UsageError(f"{FLAG} {value}: a kernel is written as .png (for eyes) or .npy (for programs)")
    return path
