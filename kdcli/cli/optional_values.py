"""Options whose value may be left out, such as `--save-psf [FILE]`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any


def may_go_without(param: Any) -> bool:
    """Whether a parameter is such an option: its metavar, as the help shows it, is in brackets."""
    return param.param_type_name == "option" and (param.metavar or "").startswith("[")


def given(value: str | None) -> str | None:
    """What such an option says: nothing (None), that it is there, without a value (""), or its value.

    Where a variable or kd.toml gives it, a bare option is written as true.
    """
    words = {"true": "", "1": "", "false": None, "0": None}
    return value if value is None else words.get(value.lower(), value)


def attach_values(args: list[str], valued: Collection[str], optional: Collection[str]) -> list[str]:
    """Rewrite `--save-psf FILE` as `--save-psf=FILE`, and a bare `--save-psf` as `--save-psf=`.

    The word after such an option is its value, unless it is the only word that can be IN.

    Args:
        args: the words of the command line.
        valued: the options that take a value.
        optional: those of them that may go without.
    """
    words = list(_split(args, valued, optional))
    has_input = any(kind == "input" for kind, _ in words)
    rewritten: list[str] = []
    for kind, parts in words:
        if kind != "optional":
            rewritten += parts
        elif len(parts) == 1:
            rewritten.append(f"{parts[0]}=")
        elif has_input:
            rewritten.append(f"{parts[0]}={parts[1]}")
        else:
            rewritten += [f"{parts[0]}=", parts[1]]
            has_input = True
    return rewritten


def _split(
    args: list[str], valued: Collection[str], optional: Collection[str]
) -> Iterator[tuple[str, list[str]]]:
    """The command line in pieces: optional values with the word after them, other options, and inputs."""
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield ("input" if rest else "option"), [word, *rest]
            return
        if word in optional:
            takes = bool(rest) and not rest[0].startswith("-")
            yield "optional", [word, rest.pop(0)] if takes else [word]
        elif word in valued:
            yield "option", [word, *rest[:1]]
            rest = rest[1:]
        else:
            yield ("option" if word.startswith("-") and word != "-" else "input"), [word]
