"""What `kd deblur` works on and where it goes: the arguments, and the photos and names they mean."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdcli.cli.config import typed
from kdcli.errors import UsageError

if TYPE_CHECKING:
    from kdcli.jobs.inputs import Found
    from kdcli.jobs.plan import Naming

_FILES = "Which files"

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IN",
        help="Blurred photos: files, folders, patterns such as '*.tif', URLs of these, or - for stdin.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="The sharp photo, its format told by its ending (.jpg, .png, .tif, .webp, .bmp); or a folder, "
        "made if need be: for several photos, or where OUT ends in / or is one; or - for stdout.",
        show_default="<stem>.deblurred.<ending> beside IN",
        rich_help_panel=_FILES,
    ),
]
Files0From = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Photos from a list too, a NUL after each name, as `find -print0` makes it; - is stdin.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive",
        "-r",
        help="Search folders to their depth; the same folders are made below OUT.",
        rich_help_panel=_FILES,
    ),
]
Suffix = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Goes between the stem and the ending of output names.",
        show_default="none in a folder, .deblurred beside IN",
        rich_help_panel=_FILES,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        metavar="png|jpg|tif|webp|bmp",
        help="Of outputs that OUT does not name.",
        show_default="IN's",
        rich_help_panel=_FILES,
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Leave out photos whose output is there, as after an interruption.",
        rich_help_panel=_FILES,
    ),
]


def naming(ctx: typer.Context, output: str | None, suffix: str | None, format: str | None) -> Naming:
    """How outputs are to be called. A file that OUT names needs no settings of that, and gets none."""
    from kdcli.files.encode import SUFFIXES
    from kdcli.jobs.plan import Naming

    names_file = output is not None and Path(output).suffix.lower() in SUFFIXES
    if names_file and Naming(output).folder is None:
        suffix = suffix if typed(ctx, "suffix") else None
        format = format if typed(ctx, "format") else None
    return Naming(output, suffix or None, format.lower().lstrip(".") if format else None)


def gather(words: list[str], files0_from: str | None, *, recursive: bool, naming: Naming) -> Found:
    """The photos that the command line means, and what it meant in vain.

    Raises:
        UsageError: it means none, or wants two things from stdin.
    """
    from kdcli.jobs.inputs import STDIN, Found, find, named

    if words == ["-"] and files0_from is None:
        return Found([STDIN], [], [])
    if "-" in words:
        raise UsageError("- is one photo from stdin and stands alone: name the others in a run of their own")
    listed = [] if files0_from is None else [named(name) for name in read_list(files0_from)]
    found = find(words, recursive=recursive, leave_out=naming.folder)
    sources = {source.key: source for source in (*found.sources, *listed)}
    if not sources:
        said = "; ".join((*found.notes, *found.closed))
        raise UsageError(said or "IN is missing: name a photo, a folder or a pattern")
    return replace(found, sources=list(sources.values()))


def read_list(file: str) -> list[str]:
    """The names in a file, a NUL after each.

    Raises:
        UsageError: it can't be read, or holds no such list.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"--files0-from {file}: {error.strerror or error}") from error
    names = data.removesuffix(b"\0").split(b"\0") if data else []
    if not names:
        raise UsageError(f"--files0-from {file}: it is empty, so there is no photo to work on")
    if b"" in names:
        raise UsageError(f"--files0-from {file}: it holds an empty name: put one NUL after each")
    return [os.fsdecode(name) for name in names]
