"""`kd weights`: which weights there are, where they are, and whether they are whole."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdcli.cli import arguments as args
from kdcli.cli.commands import Commands
from kdcli.cli.console import Reporter
from kdcli.cli.weights_import import import_weights
from kdcli.errors import KdError

if TYPE_CHECKING:
    from kdcli.weights.register import WeightsSet

weights_app = Commands(no_args_is_help=True, help="List, fetch, check and publish weights.")

_Which = Annotated[
    str, typer.Argument(metavar=args.WEIGHTS, help="Which weights.", show_default=args.DEFAULT_WEIGHTS)
]


@weights_app.command("list")
def list_weights(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout: one array.")] = False,
) -> None:
    """The weights of kd's register and of your own. Needs no network."""
    from kdcli.weights.register import read_register

    sets = read_register().values()
    if as_json:
        typer.echo(json.dumps([_facts(weights) for weights in sets], default=str))
        return
    for weights in sets:
        networks = ", ".join(f"{role} ({entry.architecture})" for role, entry in weights.files.items())
        typer.echo(f"{weights.name}  {networks}, {weights.bytes / 1e6:.1f} MB, {_place(weights)}")
        for word in ("quality", "data", "licence"):
            typer.echo(f"    {word}: {getattr(weights, word)}")


@weights_app.command("path")
def path(which: _Which = args.DEFAULT_WEIGHTS) -> None:
    """Where the files are on this machine, one a line."""
    from kdcli.weights.locate import here
    from kdcli.weights.source import find_weights

    weights = find_weights(which)
    for role in weights.files:
        file = here(weights, role)
        if file is None:
            raise KdError(f"{which} is not on this machine: run kd weights fetch {which}")
        typer.echo(file)


@weights_app.command("fetch")
def fetch(
    which: Annotated[str, typer.Argument(metavar=args.WEIGHTS, help="Which weights.")],
    quiet: args.Quiet = False,
) -> None:
    """Download weights into the Hub's cache and check them; then print where the files are, one a line."""
    from kdcli.weights.source import find_weights

    with Reporter(quiet=quiet) as report:
        weights = find_weights(which)
        files = _fetch(weights, report)
        if which.startswith("hf://"):
            report.note(
                f"{weights.name} has the SHA-256 sums of its own config.json: kd weights add pins them"
            )
        elif weights.repo_id is not None:
            report.note(f"{which} has the SHA-256 sums of the register")
    for file in files:
        typer.echo(file)


@weights_app.command("verify")
def verify(
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar=f"[{args.WEIGHTS}]...", help="Which weights.", show_default="all"),
    ] = None,
) -> None:
    """Check the files on this machine against their sizes and SHA-256. Exit code 1 if one is damaged."""
    from kdcli.weights import locate
    from kdcli.weights.register import read_register
    from kdcli.weights.source import find_weights

    sets = [find_weights(text) for text in which] if which else list(read_register().values())
    faults = []
    for weights in sets:
        for role in weights.files:
            state = "ok"
            try:
                if weights.repo_id is not None and locate.here(weights, role) is None:
                    state = "not fetched"
                else:
                    locate.fetch(weights, role)
            except KdError as error:
                state = "damaged"
                faults.append(str(error))
            typer.echo(f"{weights.name} {role}: {state}")
    if faults:
        raise KdError("; ".join(faults))


@weights_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What you will call them.")],
    source: Annotated[str, typer.Argument(metavar="PATH|hf://OWNER/REPO[@REVISION]", help="Where they are.")],
    register: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The register.", show_default="~/.config/kd/weights.toml"),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights.", show_default="as it was")] = None,
    data: Annotated[str | None, typer.Option(help="Trained on what.", show_default="as it was")] = None,
    quality: Annotated[str | None, typer.Option(help="Measured how.", show_default="as it was")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace weights of that name.")] = False,
    quiet: args.Quiet = False,
) -> None:
    """Write weights into your register under a name of your own, with their SHA-256 and the Hub's commit."""
    from kdcli.weights.edit import add_set, check_name
    from kdcli.weights.register import UNKNOWN, own_register, read_sets
    from kdcli.weights.source import from_hub, from_path

    target = register or own_register()
    check_name(target, name, overwrite=overwrite)
    old = read_sets(target).get(name) if target.exists() else None

    def word(given: str | None, key: str) -> str:
        said = [given, getattr(found, key), getattr(old, key, UNKNOWN)]
        return next((text for text in said if text and text != UNKNOWN), UNKNOWN)

    with Reporter(quiet=quiet) as report:
        found = (
            from_hub(source) if source.startswith("hf://") else from_path(Path(os.path.expanduser(source)))
        )
        _fetch(found, report)
        named = replace(
            found,
            name=name,
            licence=word(licence, "licence"),
            data=word(data, "data"),
            quality=word(quality, "quality"),
        )
        add_set(target, named, overwrite=overwrite)
        report.note(f"{target} has {name}: {found.name}")


@weights_app.command("average")
def average(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Of one network, two or more.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The mean.", show_default=False)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
) -> None:
    """Write the mean of networks that come from one another, often better than each; print its path."""
    from kdcli.weights.average import average as write_mean

    write_mean(files, out, overwrite=overwrite)
    typer.echo(out)


@weights_app.command("push")
def push(
    folder: Annotated[Path, typer.Argument(help="What kd train made: RUN/upload.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/REPO", help="On the Hub; made if need be.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository a private one.")] = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "Weights for kd",
    quiet: args.Quiet = False,
) -> None:
    """Upload weights to the Hugging Face Hub, and say by which name they can be fetched."""
    from kdcli.weights.package import push as upload

    if quiet or not sys.stderr.isatty():
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
    commit = upload(folder, repository, private=private, message=message)
    typer.echo(f"hf://{repository}@{commit}")


weights_app.command("import")(import_weights)


def _fetch(weights: WeightsSet, progress: Reporter) -> list[Path]:
    from kdcli.weights import locate

    return [locate.fetch(weights, role, progress) for role in weights.files]


def _place(weights: WeightsSet) -> str:
    from kdcli.weights.locate import here

    if weights.repo_id is None:
        return str(weights.folder or "comes with kd")
    fetched = all(here(weights, role) for role in weights.files)
    return f"hf://{weights.repo_id}@{weights.revision}, {'fetched' if fetched else 'not fetched'}"


def _facts(weights: WeightsSet) -> dict[str, Any]:
    from kdcli.weights.locate import here

    files = {role: {**asdict(entry), "path": here(weights, role)} for role, entry in weights.files.items()}
    return {**asdict(weights), "files": files}
