"""`kd estimate-kernel IN`: how the camera moved, drawn in the terminal."""

from __future__ import annotations

import typer

from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter, Stopwatch, draw_kernel
from kdcli.cli.save_psf import psf_path
from kdcli.engine.options import make_options


def estimate_kernel(
    photo: args.Input,
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
    """Estimate the blur kernel of a photo and draw it."""
    clock = Stopwatch()
    options = make_options(
        preset, steps=steps, guidance=guidance, samples=samples, refine_steps=refine_steps, seed=seed
    )
    args.check_device(device)

    from kdcli.files.paths import check_input, check_output
    from kdcli.files.photo import read_photo
    from kdcli.files.psf import SUFFIXES, write_psf

    check_input(photo)
    saved_psf = psf_path(save_psf, photo)
    if saved_psf is not None:
        check_output(saved_psf, SUFFIXES, inputs=[photo], overwrite=overwrite)
    blurred = read_photo(photo)

    from kdcli.engine.deblur import estimate_image_kernel
    from kdcli.weights import load_models

    with Reporter(quiet=quiet) as report:
        models = load_models(device)
        clock.lap("load")
        result = estimate_image_kernel(blurred.pixels, models, options, progress=report)
        clock.add(result.seconds)
        if saved_psf is not None:
            write_psf(saved_psf, result.kernel, overwrite=overwrite)
        clock.lap("write")
        for warning in result.warnings:
            report.warn(warning)
        if saved_psf is not None:
            report.note(f"{saved_psf} written")
    if json:
        facts = {
            "input": photo,
            "psf": saved_psf,
            "found": result.found,
            "kernel_width": result.kernel_width,
            "reblur_loss": result.reblur_loss,
            "patches": result.patches,
            "device": str(models.device),
            "preset": options.preset,
            "seed": seed,
            "weights": models.name,
            "seconds": clock.seconds(),
            "warnings": result.warnings,
        }
        typer.echo(args.to_json(facts))
    elif result.found and not quiet:
        from rich.console import Console

        terminal = Console(highlight=False)
        terminal.print(draw_kernel(result.kernel, colour=terminal.color_system is not None))
        terminal.print(f"{result.kernel_width} px wide, reblurring loss {result.reblur_loss:.3g}")
