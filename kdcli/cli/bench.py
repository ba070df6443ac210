"""`kd bench`: how good kd is on a data-set folder."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter
from kdcli.engine.options import make_options
from kdcli.errors import UsageError


class Method(str, Enum):
    """What is measured."""

    kd = "kd"
    oracle = "oracle"
    identity = "identity"


def bench(
    dataset: Annotated[
        Path,
        typer.Option(
            help="A folder of sharp/, blurred/ and kernels.npy, as kd synth makes.", show_default=False
        ),
    ],
    method: Annotated[
        Method,
        typer.Option(help="kd; oracle: kd with the true kernels; identity: the blurred photos themselves."),
    ] = Method.kd,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many pairs.", show_default="all")
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write every measure there.", show_default="none"),
    ] = None,
    preset: args.Preset = "balanced",
    steps: args.Steps = None,
    guidance: args.Guidance = None,
    samples: args.Samples = None,
    refine_steps: args.RefineSteps = None,
    device: args.Device = "auto",
    seed: args.Seed = 0,
    quiet: args.Quiet = False,
) -> None:
    """Measure kernels and photos against the truth."""
    args.check_device(device)
    options = make_options(
        preset, steps=steps, guidance=guidance, samples=samples, refine_steps=refine_steps, seed=seed
    )
    if json_file is not None and not json_file.parent.is_dir():
        raise UsageError(f"the folder {json_file.parent} does not exist: make it first")

    from kdcli.bench.dataset import load_dataset
    from kdcli.bench.run import run_bench
    from kdcli.files.atomic import write_atomically
    from kdcli.weights import load_models

    pairs = load_dataset(dataset)
    models = None if method is Method.identity else load_models(device)
    with Reporter(quiet=quiet) as report:
        result = run_bench(pairs, models, options, method=method.value, limit=limit, progress=report)
    if json_file is not None:
        write_atomically(json_file, json.dumps(result, indent=1).encode(), overwrite=True)
    typer.echo(f"{result['dataset']}: {result['count']} pairs, {method.value}, preset {preset}")
    for name, value in result["mean"].items():
        typer.echo(f"  {name:<18}{value:.6g}")
    typer.echo(f"  better than the input on {result['better_than_input']} of {result['count']}")
