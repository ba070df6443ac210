"""`kd estimate-kernel IN`: how the camera moved, drawn in the terminal or as a map over the photo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdcli.cli import arguments as args
from kdcli.cli.console import Reporter, print_kernel
from kdcli.engine.options import Options, make_options
from kdcli.errors import UsageError
from kdcli.jobs.stopwatch import Stopwatch

if TYPE_CHECKING:
    from kdcli.files.photo import Photo
    from kdcli.weights import Models

_MOST_NODES = 400


def estimate_kernel(
    photo: args.Input,
    save_psf: args.SavePsf = None,
    grid: Annotated[
        str | None,
        typer.Option(
            metavar="ROWSxCOLUMNS",
            help="Estimate kernels on a grid, as 5x7: --save-psf then writes a map of them over the photo "
            "(.png), or all of them (.npy).",
            show_default=False,
        ),
    ] = None,
    max_pixels: args.MaxPixels = None,
    overwrite: args.Overwrite = False,
    preset: args.Preset = "balanced",
    steps: args.Steps = None,
    guidance: args.Guidance = None,
    samples: args.Samples = None,
    refine_steps: args.RefineSteps = None,
    light: args.Light = "encoded",
    seed: args.Seed = 0,
    weights: args.Weights = args.DEFAULT_WEIGHTS,
    device: args.Device = "auto",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Estimate the blur kernel of a photo and draw it."""
    clock = Stopwatch()
    options = make_options(
        preset,
        steps=steps,
        guidance=guidance,
        samples=samples,
        refine_steps=refine_steps,
        blur="uniform",
        light=light,
        seed=seed,
    )
    shape = None if grid is None else _parse_grid(grid)
    args.check_device(device)

    from kdcli.files.paths import check_input, check_output
    from kdcli.files.photo import read_photo
    from kdcli.files.psf import SUFFIXES

    check_input(photo)
    saved_psf = None if save_psf is None else Path(save_psf or f"{photo.stem}.psf.png")
    if saved_psf is not None:
        check_output(saved_psf, SUFFIXES, inputs=[photo], overwrite=overwrite)
    blurred = read_photo(photo, args.to_pixels(max_pixels))

    from kdcli.weights import load_models

    with Reporter(quiet=quiet) as report:
        models = load_models(device, weights, report)
        clock.lap("load")
        look = (blurred, models, options, report, clock, saved_psf, overwrite)
        facts = _find_one(*look) if shape is None else _find_grid(*look, shape)
        for warning in facts["warnings"]:
            report.warn(warning)
        if saved_psf is not None:
            report.note(f"{saved_psf} written")
        if models.name.startswith("hf://"):
            report.note(f"weights {models.name}")
    kernel, caption = facts.pop("kernel"), facts.pop("caption")
    if json:
        shared = {
            "device": str(models.device),
            "preset": options.preset,
            "seed": seed,
            "weights": models.name,
            "seconds": clock.seconds(),
        }
        typer.echo(args.to_json({"input": photo, "psf": saved_psf, **facts, **shared}))
    elif kernel is not None and not quiet:
        print_kernel(kernel, caption)


def _find_one(
    photo: Photo,
    models: Models,
    options: Options,
    report: Reporter,
    clock: Stopwatch,
    saved: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Estimate one kernel: what there is to tell of it, and to draw."""
    from kdcli.engine.deblur import estimate_image_kernel
    from kdcli.files.psf import write_psf

    result = estimate_image_kernel(photo.pixels, models, options, progress=report)
    clock.add(result.seconds)
    if saved is not None:
        write_psf(saved, result.kernel, overwrite=overwrite)
    clock.lap("write")
    return {
        "kernel": result.kernel if result.found else None,
        "caption": f"{result.kernel_width} px wide, reblurring loss {result.reblur_loss:.3g}",
        "found": result.found,
        "kernel_width": result.kernel_width,
        "reblur_loss": result.reblur_loss,
        "confidence": result.confidence,
        "patches": result.patches,
        "warnings": [*photo.notes, *result.warnings],
    }


def _find_grid(
    photo: Photo,
    models: Models,
    options: Options,
    report: Reporter,
    clock: Stopwatch,
    saved: Path | None,
    overwrite: bool,
    shape: tuple[int, int],
) -> dict[str, Any]:
    """Estimate kernels on a grid: what there is to tell of them, and the middle one to draw."""
    from kdcli.engine.results import FLAT_WARNING
    from kdcli.engine.varying import image_grid
    from kdcli.files.psf_map import write_psf_map

    found = image_grid(photo.pixels, models, options, shape, progress=report)
    clock.lap("estimate")
    if saved is not None:
        write_psf_map(saved, photo.pixels, found.kernels, found.rows, found.columns, overwrite=overwrite)
    clock.lap("write")
    return {
        "kernel": found.middle if found.found else None,
        "caption": f"the middle one of {shape[0]}x{shape[1]} kernels, agreement {found.agreement:.2f}",
        "grid": shape,
        "agreement": found.agreement,
        "found": found.found,
        "warnings": [*photo.notes, *([] if found.found else [FLAT_WARNING])],
    }


def _parse_grid(text: str) -> tuple[int, int]:
    """Rows and columns of "5x7".

    Raises:
        UsageError: it is nothing of that kind.
    """
    found = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    rows, columns = (int(part) for part in found.groups()) if found else (0, 0)
    if not 0 < rows * columns <= _MOST_NODES:
        raise UsageError(f"--grid {text}: use rows x columns, as 5x7, {_MOST_NODES} kernels at most")
    return rows, columns
