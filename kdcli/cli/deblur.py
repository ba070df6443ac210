"""`kd deblur IN... -o OUT`: blurred photos in, sharp ones out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdcli.cli import arguments as args
from kdcli.cli import by_products, engines, inputs
from kdcli.cli.console import Reporter, print_kernel
from kdcli.cli.interrupt import leave_in_time
from kdcli.engine.options import make_options
from kdcli.errors import KdError, UsageError, one_line

if TYPE_CHECKING:
    from kdcli.jobs.job import Job, Result, Settings


def deblur(
    ctx: typer.Context,
    photos: inputs.Inputs = None,
    output: inputs.Output = None,
    psf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Restore with this kernel (.png or .npy) instead of estimating one.",
            show_default=False,
        ),
    ] = None,
    save_psf: args.SavePsf = None,
    compare: by_products.Compare = None,
    show_psf: by_products.ShowPsf = False,
    preview: by_products.Preview = False,
    recursive: inputs.Recursive = False,
    files0_from: inputs.Files0From = None,
    suffix: inputs.Suffix = None,
    format: inputs.Format = None,
    quality: args.Quality = None,
    max_pixels: args.MaxPixels = None,
    skip_existing: inputs.SkipExisting = False,
    overwrite: args.Overwrite = False,
    jobs: engines.Jobs = None,
    batch: args.Batch = None,
    engine: engines.Engine = "local",
    ray_address: engines.RayAddress = None,
    preset: args.Preset = "balanced",
    steps: args.Steps = None,
    guidance: args.Guidance = None,
    samples: args.Samples = None,
    refine_steps: args.RefineSteps = None,
    blur: args.Blur = "uniform",
    light: args.Light = "encoded",
    seed: args.Seed = 0,
    weights: args.Weights = args.DEFAULT_WEIGHTS,
    device: args.Device = "auto",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Restore photos blurred by camera motion."""
    options = make_options(
        preset,
        steps=steps,
        guidance=guidance,
        samples=samples,
        refine_steps=refine_steps,
        blur=blur,
        light=light,
        seed=seed,
    )
    args.check_device(device)
    run = engines.choose(ctx, engine, jobs, ray_address)
    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other: choose one")

    from kdcli.files.encode import SUFFIXES
    from kdcli.files.paths import check_input
    from kdcli.files.psf import read_psf
    from kdcli.jobs.job import Result, Settings
    from kdcli.jobs.pipes import check_pipes
    from kdcli.jobs.plan import check, plan

    naming = inputs.naming(ctx, output, suffix, format)
    found = inputs.gather(photos or [], files0_from, recursive=recursive, naming=naming)
    single = len(found.sources) == 1 and found.sources[0].named
    if single and found.sources[0].path is not None:
        check_input(found.sources[0].path)
    planned = plan(found.sources, naming, skip_existing=skip_existing)
    to_folder = planned.folder is not None
    in_folder = to_folder or not single
    todo, skipped = check(
        [
            by_products.with_by_products(
                job, save_psf=save_psf, compare=compare, preview=preview, in_folder=in_folder
            )
            for job in planned.jobs
        ],
        keep=[] if psf is None else [psf],
        overwrite=overwrite,
        skip_existing=skip_existing,
        make_folders=to_folder,
    )
    if json and any(job.output is None for job in todo):
        raise UsageError(
            "--json and a photo would mix on stdout: name the photo's file with -o, or leave one out"
        )
    check_pipes(
        reading=any(job.input is None for job in todo), writing=any(job.output is None for job in todo)
    )
    settings = Settings(
        options=options,
        device=device,
        weights=weights,
        kernel=None if psf is None else read_psf(psf),
        overwrite=overwrite,
        skip_existing=skip_existing,
        format=SUFFIXES[f".{naming.format}"] if naming.format else None,
        quality=quality,
        max_pixels=args.to_pixels(max_pixels),
        preview=preview,
        batch=batch,
    )

    def tell(result: Result) -> None:
        if show_psf and result.kernel is not None and not quiet:
            caption = one_line(f"kernel of {result.job.input or 'stdin'}, {result.kernel_width} px wide")
            print_kernel(result.kernel, caption, stderr=True)
        if json:
            typer.echo(args.to_json(_facts(result, settings, psf)))

    with leave_in_time():
        if single and todo and engine == "local" and not (found.notes or found.closed):
            try:
                tell(_deblur_one(todo[0], settings, quiet))
            except KdError as error:
                tell(Result(todo[0], "failed", message=str(error)))
                raise
        else:
            from kdcli.cli.many import deblur_many

            deblur_many(todo, skipped, settings, run=run, found=found, quiet=quiet, each=tell)


def _deblur_one(job: Job, settings: Settings, quiet: bool) -> Result:
    """One photo, in full view; what goes wrong is raised."""
    from kdcli.jobs.worker import Worker

    with Reporter(quiet=quiet) as report:
        result = Worker(settings).do(job, report)
        for warning in result.warnings:
            report.warn(warning)
        written, seconds = job.output or "photo", result.seconds["total"]
        kernel = f"kernel {result.kernel_width} px wide"
        if result.grid is not None:
            kernel = f"blur that varies: {result.grid[0]}x{result.grid[1]} kernels"
        report.note(f"{written} written ({kernel}, {seconds:.1f} s)")
        if result.weights.startswith("hf://"):
            report.note(f"weights {result.weights}")
    return result


def _facts(result: Result, settings: Settings, given_psf: Path | None) -> dict[str, object]:
    """What `--json` tells about a photo."""
    job = result.job
    facts = {"input": job.input or "-", "output": job.output or "-", "status": result.status}
    if result.status != "done":
        return {**facts, "message": result.message}
    return {
        **facts,
        "preview": settings.preview,
        "psf": job.psf,
        "compare": job.compare,
        "given_psf": given_psf,
        "changed": result.changed,
        "blur": "uniform" if result.grid is None else "varying",
        "grid": result.grid,
        "kernel_width": result.kernel_width,
        "reblur_loss": result.reblur_loss,
        "confidence": result.confidence,
        "from_camera": result.from_camera,
        "patches": result.patches,
        "device": result.device,
        "preset": settings.options.preset,
        "seed": settings.options.seed,
        "weights": result.weights,
        "seconds": result.seconds,
        "warnings": result.warnings,
    }
