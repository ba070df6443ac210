"""What kd makes besides photos, or before them: kernels, comparisons and previews, and where they go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdcli.cli.optional_values import given
from kdcli.errors import UsageError
from kdcli.files.place import Place, to_place

if TYPE_CHECKING:
    from kdcli.jobs.job import Job

Compare = Annotated[
    str | None,
    typer.Option(
        "--compare",
        metavar="[FILE]",
        help="Write a picture of before, after and the kernel side by side too: to FILE, or without FILE to "
        "<stem>.compare.png, as for --save-psf.",
        show_default=False,
        callback=given,
    ),
]
ShowPsf = Annotated[bool, typer.Option("--show-psf", help="Draw the kernels in the terminal.")]
Preview = Annotated[
    bool,
    typer.Option(
        "--preview",
        help="Before the job: restore only the 512x512 pixels that tell the most about the blur, and write "
        "nothing but <stem>.preview.png, as --compare does. Takes seconds.",
    ),
]


def with_by_products(
    job: Job, *, save_psf: str | None, compare: str | None, preview: bool, in_folder: bool
) -> Job:
    """The job, with what is to be made besides.

    Args:
        job: one without.
        save_psf, compare: values of the options.
        preview: whether that is made instead of everything else.
        in_folder: whether it goes where the outputs go, rather than to the current folder.

    Raises:
        UsageError: it cannot be named so.
    """

    def place(what: str) -> Place:
        path = job.by_product(what)
        return path if in_folder else Path(path.name)

    def chosen(what: str, option: str, value: str | None) -> Place | None:
        if value and in_folder:
            raise UsageError(
                f"{option} {value} names one file, and outputs in a folder have one each: leave it out"
            )
        if value == "" and job.input is None:
            raise UsageError(f"a photo from stdin has no name: name the file with {option} FILE")
        return to_place(value) if value else None if value is None else place(what)

    if preview:
        return replace(job, output=place("preview"))
    return replace(
        job, psf=chosen("psf", "--save-psf", save_psf), compare=chosen("compare", "--compare", compare)
    )
