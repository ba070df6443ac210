"""`kd synth PHOTOS -o DIR`: sharp and blurred pairs with their kernels, from any folder of photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, get_args

import typer

from kdcli.blur.names import FamilyName
from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter
from kdcli.errors import UsageError


def synth(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="A folder of sharp photos.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="The new data-set folder.", show_default=False),
    ],
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many pairs.")] = 100,
    kernels: Annotated[
        FamilyName, typer.Option(metavar="|".join(get_args(FamilyName)), help="Kinds of blur.")
    ] = "motion",
    noise: Annotated[
        float,
        typer.Option(min=0, max=1, help="Standard deviation of white Gaussian noise; black is 0, white 1."),
    ] = 0.0,
    jpeg: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Then save the blurred photos as JPEG of this quality.", show_default="none"
        ),
    ] = None,
    seed: args.Seed = 0,
    quiet: args.Quiet = False,
) -> None:
    """Make a data set: sharp/, blurred/, kernels.npy and synth.json."""
    if not photos.is_dir():
        raise UsageError(f"{photos} is no folder: name one that holds sharp photos")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UsageError(f"{output} exists and is not empty: name a new folder")
    if not output.parent.is_dir():
        raise UsageError(f"the folder {output.parent} does not exist: make it first")
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        raise UsageError(f"{output} may not be written to: choose another folder")

    from kdcli.bench.synth import synthesise

    with Reporter(quiet=quiet) as report:
        synthesise(
            photos,
            output,
            count=count,
            kernels=kernels,
            noise=noise,
            jpeg=jpeg,
            seed=seed,
            progress=report,
        )
        report.note(f"{count} pairs written to {output}")
