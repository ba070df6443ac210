"""One command for every table and figure of the paper; see docs/paper.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kdcli.bench.paper import figures, tables
from kdcli.bench.results import read_result
from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Out = Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The picture, .png or .svg.")]
Results = Annotated[list[Path], typer.Argument(metavar="RESULT.json...", help="Of kd bench --json.")]
Page = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Put the table between the comments of its name in this page."),
]


@app.command()
def table1(results: Results, page: Page = None) -> None:
    """Quality on BSD100."""
    _table("table1", results, page)


@app.command()
def table2(results: Results, page: Page = None) -> None:
    """What guidance and refinement give."""
    _table("table2", results, page)


@app.command()
def table4(results: Results, page: Page = None) -> None:
    """Quality on other sets."""
    _table("table4", results, page)


@app.command()
def figure2(
    out: Out, seed: Annotated[int, typer.Option(help="Of the noise and the directions.", min=0)] = 3
) -> None:
    """The one-dimensional toy problem."""
    figures.save(figures.figure2(seed), out)


@app.command()
def figure5(result: Annotated[Path, typer.Argument(metavar="RESULT.json")], out: Out) -> None:
    """The residual over the sampling steps."""
    figures.save(figures.figure5(read_result(result)), out)


def main() -> None:
    """Run a command; what goes wrong is one line on stderr."""
    try:
        app(prog_name="python -m kdcli.bench.paper")
    except KdError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _table(name: str, results: list[Path], page: Path | None) -> None:
    text = tables.table(name, [read_result(path) for path in results])
    if page is None:
        print(text, end="")
        return
    try:
        before = page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {page}: {error}") from error
    write_atomically(page, tables.fill(before, name, text).encode(), overwrite=True)


if __name__ == "__main__":
    main()
