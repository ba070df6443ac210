"""`kd bench`: how good kd and other methods are, and what changed since the last time."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from kdcli.blur.names import FamilyName
from kdcli.cli import arguments as args
from kdcli.cli.bench_compare import compare
from kdcli.cli.commands import Commands
from kdcli.cli.console import Reporter
from kdcli.engine.options import make_options
from kdcli.errors import KdError, UsageError

if TYPE_CHECKING:
    from kdcli.bench.bench import BenchConfig
    from kdcli.bench.dataset import Dataset

_FILES = "What is written"
_DATA = "What is measured on"

bench_app = Commands(invoke_without_command=True, subcommand_metavar="[compare A.json B.json]")
bench_app.command("compare")(compare)


def _data(help: str, **settings: Any) -> Any:
    return typer.Option(help=help, rich_help_panel=_DATA, **settings)


def _file(flag: str, help: str) -> Any:
    return typer.Option(flag, metavar="FILE", help=help, show_default=False, rich_help_panel=_FILES)


@bench_app.callback()
def bench(
    context: typer.Context,
    dataset: Annotated[
        str | None,
        _data(
            "bsd100, levin, kohler, realblur-j, demo, or a folder with sharp/ and blurred/.",
            metavar="NAME|FOLDER",
            show_default=False,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, _data("Where the named sets lie.", envvar="KD_DATA", show_default=False)
    ] = None,
    limit: Annotated[int | None, _data("Only the first so many.", min=1, show_default="all")] = None,
    noise: Annotated[
        float,
        _data("Standard deviation of white Gaussian noise; black is 0, white 1.", min=0, max=1),
    ] = 0.0,
    jpeg: Annotated[
        int | None,
        _data("Then save the blurred photos as JPEG of this quality.", min=1, max=100, show_default="none"),
    ] = None,
    kernels: Annotated[
        FamilyName | None,
        _data(
            "Blur the sharp photos anew.",
            metavar="|".join(get_args(FamilyName)),
            show_default="the set's own",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="kd, kd:unguided, kd:unrefined, kd:PRESET, oracle (true kernel), wiener (true kernel), "
            "identity (the blurred photo), or 'cmd:PROGRAM {input} {output} [{kernel}]'. Give it several "
            "times to compare them.",
            show_default="kd",
        ),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="lpips|fid",
            help="Measure that too, of 8-bit pictures. Needs pip install 'kdcli\\[bench]', and fetches the "
            "measure's own network once. FID is of a method's pictures together.",
            show_default=False,
        ),
    ] = None,
    json_file: Annotated[Path | None, _file("--json", "Every measure.")] = None,
    csv_file: Annotated[Path | None, _file("--csv", "A row an image.")] = None,
    report_file: Annotated[Path | None, _file("--report", "A page with pictures (.html).")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.", rich_help_panel=_FILES)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist.", rich_help_panel=_FILES)
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once.")] = 1,
    batch: args.Batch = None,
    residuals: Annotated[
        bool,
        typer.Option(
            "--residuals",
            help="Measure the residual at every step or turn, for --json and --report; takes time. "
            "Guided steps do so anyway.",
        ),
    ] = False,
    preset: args.Preset = "balanced",
    steps: args.Steps = None,
    guidance: args.Guidance = None,
    samples: args.Samples = None,
    refine_steps: args.RefineSteps = None,
    light: args.Light = "encoded",
    weights: args.Weights = args.DEFAULT_WEIGHTS,
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
        preset,
        steps=steps,
        guidance=guidance,
        samples=samples,
        refine_steps=refine_steps,
        light=light,
        seed=seed,
    )
    options = replace(options, residuals=residuals)
    methods = tuple(method or ["kd"])
    if len(set(methods)) < len(methods):
        raise UsageError("a --method is named twice: name each once")
    outputs = [file for file in (json_file, csv_file, report_file) if file is not None]
    for file in outputs:
        if not file.parent.is_dir():
            raise UsageError(f"the folder {file.parent} does not exist: make it first")
        if file.exists() and not overwrite:
            raise UsageError(f"{file} exists already: choose another name or add --overwrite")
    if resume and not outputs:
        raise UsageError("--resume needs the --json, --csv or --report of the interrupted run")

    from kdcli.bench.bench import BenchConfig
    from kdcli.bench.datasets import open_dataset

    pairs = open_dataset(dataset, data_dir=data_dir, noise=noise, jpeg=jpeg, kernels=kernels, seed=seed)
    state = outputs[0].with_name(outputs[0].name + ".partial") if outputs else None
    with ExitStack() as stack:
        gallery = None
        if state and (report_file or measure):
            gallery = state.with_suffix(".pictures")
        elif measure:
            gallery = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kd-bench-")))
        measures = tuple(measure or ())
        config = BenchConfig(methods, options, limit, device, jobs, gallery, weights, measures, batch)
        result = _run(pairs, config, state, resume, quiet)
        _write(result, pairs, config, json_file, csv_file, report_file)
        if gallery is not None:
            shutil.rmtree(gallery, ignore_errors=True)
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
    from kdcli._version import __version__
    from kdcli.bench.journal import Journal
    from kdcli.bench.run import run_bench

    settings = {
        "version": __version__,
        "dataset": pairs.name,
        "methods": config.methods,
        "options": str(config.options),
        "device": config.device,
        "weights": config.weights,
        "pictures": config.gallery is not None,
    }
    with Reporter(quiet=quiet) as report, Journal(state, settings, resume) as journal:
        if journal.done:
            report.note(f"going on after {len(journal.done)} measurements")
        try:
            return run_bench(pairs, config, journal=journal, progress=report)
        except KeyboardInterrupt:
            if state is not None:
                report.note(f"{len(journal.done)} measurements are kept: add --resume to go on")
            raise


def _write(
    result: dict[str, Any],
    pairs: Dataset,
    config: BenchConfig,
    json_file: Path | None,
    csv_file: Path | None,
    report_file: Path | None,
) -> None:
    from kdcli.bench.gallery import Gallery
    from kdcli.bench.report import write_report
    from kdcli.bench.results import to_json
    from kdcli.bench.tables import to_csv
    from kdcli.files.atomic import write_atomically

    if json_file is not None:
        write_atomically(json_file, to_json(result).encode(), overwrite=True)
    if csv_file is not None:
        write_atomically(csv_file, to_csv(result).encode(), overwrite=True)
    if report_file is not None and config.gallery is not None:
        write_report(report_file, result, Gallery(config.gallery, pairs, config.methods), overwrite=True)
