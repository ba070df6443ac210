"""`kd estimate-kernel IN`: how the camera moved, drawn in the terminal."""

from __future__ import annotations

from pathlib import Path

import typer

from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter, print_kernel
from kdcli.engine.options import make_options
from kdcli.jobs.stopwatch import Stopwatch


def estimate_kernel(
    photo: args.Input,
    save_psf: args.SavePsf = None,
    max_pixels: args.MaxPixels = None,
    overwrite: args.Overwrite = False,
    preset: args.Preset = "balanced",
    steps: args.Steps = None,
    guidance: args.Guidance = None,
    samples: args.Samples = None,
    refine_steps: args.RefineSteps = None,
    seed: args.Seed = 0,
    weights: args.Weights = args.DEFAULT_WEIGHTS,
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
    saved_psf = None if save_psf is None else Path(save_psf or f"{photo.stem}.psf.png")
    if saved_psf is not None:
        check_output(saved_psf, SUFFIXES, inputs=[photo], overwrite=overwrite)
    blurred = read_photo(photo, args.to_pixels(max_pixels))

    from kdcli.engine.deblur import estimate_image_kernel
    from kdcli.weights import load_models

    with Reporter(quiet=quiet) as report:
        models = load_models(device, weights, report)
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
        if models.name.startswith("hf://"):
            report.note(f"weights {models.name}")
    if json:
        facts = {
            "input": photo,
            "psf": saved_psf,
            "found": result.found,
            "kernel_width": result.kernel_width,
            "reblur_loss": result.reblur_loss,
            "confidence": result.confidence,
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
        caption = f"{result.kernel_width} px wide, reblurring loss {result.reblur_loss:.3g}"
        print_kernel(result.kernel, caption)
