"""`kd deblur IN -o OUT`: a blurred photo in, a sharp one out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter, Stopwatch
from kdcli.cli.save_psf import psf_path
from kdcli.engine.options import make_options
from kdcli.errors import UsageError


def deblur(
    photo: args.Input,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The sharp photo, its format told by its ending (.jpg, .png, .tif, .webp, .bmp).",
            show_default="<stem>.deblurred.<ending> beside IN",
        ),
    ] = None,
    psf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Restore with this kernel (.png or .npy) instead of estimating one.",
            show_default=False,
        ),
    ] = None,
    save_psf: args.SavePsf = None,
    overwrite: args.Overwrite = False,
    preset: args.Preset = "balanced",
    steps: args.Steps = None,
    guidance: args.Guidance = None,
    samples: args.Samples = None,
    refine_steps: args.RefineSteps = None,
    seed: args.Seed = 0,
    device: args.Device = "auto",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Restore a photo blurred by camera motion."""
    clock = Stopwatch()
    options = make_options(
        preset, steps=steps, guidance=guidance, samples=samples, refine_steps=refine_steps, seed=seed
    )
    args.check_device(device)

    from kdcli.files.encode import SUFFIXES
    from kdcli.files.paths import check_input, check_output
    from kdcli.files.photo import read_photo, write_photo
    from kdcli.files.psf import SUFFIXES as PSF_SUFFIXES
    from kdcli.files.psf import read_psf, write_psf

    check_input(photo)
    inputs = [photo] if psf is None else [photo, psf]
    target = output or _default_output(photo, SUFFIXES)
    check_output(target, SUFFIXES, inputs=inputs, overwrite=overwrite)
    saved_psf = psf_path(save_psf, photo)
    if saved_psf is not None:
        check_output(saved_psf, PSF_SUFFIXES, inputs=inputs, overwrite=overwrite)
        if saved_psf.resolve() == target.resolve():
            raise UsageError(f"{target} cannot be both the photo and its kernel: name two files")
    kernel = None if psf is None else read_psf(psf)
    blurred = read_photo(photo)

    from kdcli.engine.deblur import deblur_image
    from kdcli.weights import load_models

    with Reporter(quiet=quiet) as report:
        models = load_models(device)
        clock.lap("load")
        result = deblur_image(blurred.pixels, models, options, kernel=kernel, progress=report)
        clock.add(result.seconds)
        lost = write_photo(target, result.restored, like=blurred, overwrite=overwrite)
        if saved_psf is not None:
            write_psf(saved_psf, result.kernel, overwrite=overwrite)
        clock.lap("write")
        warnings = [*result.warnings, *lost]
        for warning in warnings:
            report.warn(warning)
        seconds = clock.seconds()
        report.note(f"{target} written (kernel {result.kernel_width} px wide, {seconds['total']:.1f} s)")
    if json:
        facts = {
            "input": photo,
            "output": target,
            "psf": saved_psf,
            "given_psf": psf,
            "changed": result.changed,
            "kernel_width": result.kernel_width,
            "reblur_loss": result.reblur_loss,
            "patches": result.patches,
            "device": str(models.device),
            "preset": options.preset,
            "seed": seed,
            "weights": models.name,
            "seconds": seconds,
            "warnings": warnings,
        }
        typer.echo(args.to_json(facts))


def _default_output(photo: Path, suffixes: dict[str, str]) -> Path:
    suffix = photo.suffix if photo.suffix.lower() in suffixes else ".png"
    return photo.with_name(f"{photo.stem}.deblurred{suffix}")
