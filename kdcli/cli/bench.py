"""`kd bench`: how good kd and other methods are, and what changed since the last time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter
from kdcli.engine.options import make_options
from kdcli.errors import KdError, UsageError

if TYPE_CHECKING:
    from kdcli.bench.dataset import Dataset
    from kdcli.bench.run import BenchConfig

_FILES = "What is written"
_DATA = "What is measured on"

bench_app = typer.Typer(invoke_without_command=True, subcommand_metavar="[compare A.json B.json]")


@bench_app.callback()
def bench(
    context: typer.Context,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="bsd100, levin, kohler, realblur-j, demo, or a folder with sharp/ and blurred/.",
            show_default=False,
            rich_help_panel=_DATA,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="KD_DATA", help="Where the named sets lie.", show_default=False, rich_help_panel=_DATA
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Only the first so many.", show_default="all", rich_help_panel=_DATA),
    ] = None,
    noise: Annotated[
        float, typer.Option(min=0, max=1, help="Noise to add, white being 1.", rich_help_panel=_DATA)
    ] = 0.0,
    jpeg: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="JPEG quality to save with.", show_default="none", rich_help_panel=_DATA
        ),
    ] = None,
    kernels: Annotated[
        str | None,
        typer.Option(
            help="Blur the sharp photos anew: motion, shake, mixed, ...",
            show_default="the set's own",
            rich_help_panel=_DATA,
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD",
            help="kd, kd:unguided, kd:unrefined, kd:PRESET, oracle (true kernel), wiener (true kernel), "
            "identity (the blurred photo), or 'cmd:PROGRAM {input} {output} [{kernel}]'. Give it several "
            "times to compare with the first.",
            show_default="kd",
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Every measure.", show_default=False, rich_help_panel=_FILES
        ),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="A row an image.", show_default=False, rich_help_panel=_FILES
        ),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="A page with pictures (.html).",
            show_default=False,
            rich_help_panel=_FILES,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.", rich_help_panel=_FILES)
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once.")] = 1,
    preset: args.Preset = "balanced",
    steps: args.Steps = None,
    guidance: args.Guidance = None,
    samples: args.Samples = None,
    refine_steps: args.RefineSteps = None,
    device: args.Device = "auto",
    seed: args.Seed = 0,
    quiet: args.Quiet = False,
) -> None:
    """Measure kernels and photos against the truth. Exit code 1 if an image failed."""
    if context.invoked_subcommand is not None:
        return
    if dataset is None:
        raise UsageError("name what to measure on: --dataset bsd100, demo or a folder (see kd bench --help)")
    args.check_device(device)
    options = make_options(
        preset, steps=steps, guidance=guidance, samples=samples, refine_steps=refine_steps, seed=seed
    )
    methods = tuple(method or ["kd"])
    if len(set(methods)) < len(methods):
        raise UsageError("a --method is named twice: name each once")
    outputs = [file for file in (json_file, csv_file, report_file) if file is not None]
    for file in outputs:
        if not file.parent.is_dir():
            raise UsageError(f"the folder {file.parent} does not exist: make it first")
    if resume and not outputs:
        raise UsageError("--resume needs the --json, --csv or --report of the interrupted run")

    from kdcli.bench.datasets import open_dataset
    from kdcli.bench.run import BenchConfig

    pairs = open_dataset(dataset, data_dir=data_dir, noise=noise, jpeg=jpeg, kernels=kernels, seed=seed)
    state = outputs[0].with_name(outputs[0].name + ".partial") if outputs else None
    gallery = state.with_suffix(".pictures") if state and report_file else None
    config = BenchConfig(methods, options, limit, device, jobs, gallery)
    result = _run(pairs, config, state, resume, quiet)
    _write(result, json_file, csv_file)
    if report_file is not None and gallery is not None:
        _report(result, pairs, methods, gallery, report_file)
    if state is not None:
        state.unlink(missing_ok=True)

    from rich.console import Console

    from kdcli.bench.tables import render

    Console(file=sys.stdout).print(render(result))
    failed = [f"{m['method']} on {row['name']}" for m in result["methods"] for row in m["failed"]]
    if failed:
        first = next(row["error"] for m in result["methods"] for row in m["failed"])
        raise KdError(f"{len(failed)} failed ({', '.join(failed[:5])}): {first}")


def _run(
    pairs: Dataset, config: BenchConfig, state: Path | None, resume: bool, quiet: bool
) -> dict[str, Any]:
    from kdcli.bench.journal import Journal
    from kdcli.bench.run import run_bench

    settings = {
        "dataset": pairs.name,
        "methods": config.methods,
        "options": str(config.options),
        "device": config.device,
        "pictures": config.gallery is not None,
    }
    with Reporter(quiet=quiet) as report, Journal(state, settings, resume) as journal:
        if journal.done:
            report.note(f"going on after {len(journal.done)} measurements")
        return run_bench(pairs, config, journal=journal, progress=report)


def _write(result: dict[str, Any], json_file: Path | None, csv_file: Path | None) -> None:
    from kdcli.bench.tables import to_csv
    from kdcli.files.atomic import write_atomically

    if json_file is not None:
        write_atomically(json_file, json.dumps(result, indent=1).encode(), overwrite=True)
    if csv_file is not None:
        write_atomically(csv_file, to_csv(result).encode(), overwrite=True)


def _report(
    result: dict[str, Any], pairs: Dataset, methods: tuple[str, ...], folder: Path, file: Path
) -> None:
    from kdcli.bench.gallery import Gallery
    from kdcli.bench.report import write_report

    gallery = Gallery(folder, pairs, methods)
    write_report(file, result, gallery, overwrite=True)
    gallery.remove()


@bench_app.command("compare")
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
    from kdcli.bench.results import read_result

    limits = [parse_limit(text) for text in fail_if_worse or []]
    comparison = compare_results(read_result(before), read_result(after))
    Console(file=sys.stdout).print(comparison.render(limit=images))
    reasons = [reason for metric, tolerance in limits for reason in comparison.worse(metric, tolerance)]
    if reasons:
        raise KdError("; ".join(reasons))
