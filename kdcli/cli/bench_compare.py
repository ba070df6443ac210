"""`kd bench compare A.json B.json`: what changed between two results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kdcli.errors import KdError


def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="The result to compare with.")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="The result to judge.")],
    fail_if_worse: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC:TOLERANCE", help="Exit with 1 if B is worse by more.", show_default=False
        ),
    ] = None,
    images: Annotated[int, typer.Option(min=0, help="Show so many images of each method.")] = 20,
) -> None:
    """What changed between two files of `kd bench --json`, image by image."""
    from rich.console import Console

    from kdcli.bench.compare import compare as compare_results
    from kdcli.bench.compare import parse_limit
    from kdcli.bench.compare_tables import render
    from kdcli.bench.results import read_result

    limits = [parse_limit(text) for text in fail_if_worse or []]
    comparison = compare_results(read_result(before), read_result(after))
    Console(file=sys.stdout).print(render(comparison, limit=images))
    reasons = [reason for metric, tolerance in limits for reason in comparison.worse(metric, tolerance)]
    if reasons:
        raise KdError("; ".join(reasons))
