"""`kd weights import`: the paper's own networks, from the files that its authors publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter


def import_weights(
    kernel_diff: Annotated[
        Path, typer.Option("--kernel-diff", metavar="FILE", help="The kernel network: kernel-diff.pt.")
    ],
    dwdn: Annotated[Path, typer.Option("--dwdn", metavar="FILE", help="The solver: model_DWDN.pt.")],
    name: Annotated[str, typer.Option(help="What you will call them.")] = "paper",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Where to write them.", show_default="NAME by the register"
        ),
    ] = None,
    register: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The register.", show_default="~/.config/kd/weights.toml"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace weights of that name.")] = False,
    quiet: args.Quiet = False,
) -> None:
    """Make weights of the PyTorch files that the paper's authors publish; code in them is not run.

    They restore photos as the paper does: kd deblur IN -o OUT --weights paper --preset paper.
    """
    from kdcli.weights.edit import add_set, check_name
    from kdcli.weights.published import import_published
    from kdcli.weights.register import own_register

    target = register or own_register()
    check_name(target, name, overwrite=overwrite)
    with Reporter(quiet=quiet) as report:
        found = import_published(
            kernel_diff, dwdn, out or target.parent / name, name=name, overwrite=overwrite
        )
        add_set(target, found, overwrite=overwrite)
        report.note(f"{target} has {name}, in {found.folder}: use --weights {name} --preset paper")
