"""The arguments that several commands share, and what they become."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from kdcli.cli.optional_values import given
from kdcli.engine import options
from kdcli.errors import UsageError

_ENGINE = "How the kernel is found"

Input = Annotated[
    Path,
    typer.Argument(metavar="IN", help="The blurred photo.", show_default=False),
]
SavePsf = Annotated[
    str | None,
    typer.Option(
        "--save-psf",
        metavar="[FILE]",
        help="Write the blur kernel too: to FILE (.png for eyes, .npy for programs), or without FILE to "
        "<stem>.psf.png in the current folder, or beside the outputs where they go to a folder. The next "
        "word is taken as FILE if IN is given elsewhere.",
        show_default=False,
        callback=given,
    ),
]
Preset = Annotated[
    options.Preset,
    typer.Option(metavar="|".join(options.PRESETS), help="How much work to spend.", rich_help_panel=_ENGINE),
]
Steps = Annotated[
    int | None,
    typer.Option(help="Reverse-diffusion steps.", rich_help_panel=_ENGINE, show_default="the preset's"),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        help="Strength of the solver's guidance; 0 is none.",
        rich_help_panel=_ENGINE,
        show_default="the preset's",
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(
        help="Kernels sampled per patch; the best is kept.",
        rich_help_panel=_ENGINE,
        show_default="the preset's",
    ),
]
RefineSteps = Annotated[
    int | None,
    typer.Option(
        help="Refinement steps afterwards, whatever the kernel looks like; 0 for none.",
        rich_help_panel=_ENGINE,
        show_default="the preset's, where a kernel looks wrong",
    ),
]
Blur = Annotated[
    options.Blur,
    typer.Option(
        metavar="uniform|varying|auto",
        help="One kernel for the whole photo, or kernels that change across it, as where the camera rolled; "
        "auto looks how far the photo's quarters agree.",
        rich_help_panel=_ENGINE,
    ),
]
Light = Annotated[
    options.Light,
    typer.Option(
        metavar="encoded|linear",
        help="What the blur is taken to act on: the values as stored, or the light that they encode by sRGB. "
        "Try linear for a photo straight from a camera and a known kernel (--psf); where it is wrong, it "
        "makes photos worse.",
        rich_help_panel=_ENGINE,
    ),
]
WEIGHTS = "NAME|PATH|hf://OWNER/REPO[@REVISION]"
DEFAULT_WEIGHTS = "default"
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar=WEIGHTS,
        help="The networks: a name (kd weights list), a folder or .safetensors file, or the Hub's.",
    ),
]
Seed = Annotated[
    int, typer.Option(help="Seed of the random numbers: the same one gives the same result.", min=0)
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where to compute.")]
Quality = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        help="Quality of outputs in JPEG and WebP.",
        show_default="that of IN from JPEG to JPEG, and else 95",
    ),
]
MaxPixels = Annotated[
    float | None,
    typer.Option(
        metavar="MILLIONS",
        help="Refuse larger photos before they are unpacked: a few bytes can claim to be any size.",
        show_default="250",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist; IN never is.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, a line a photo.")]
Batch = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Photos that the networks look at together, with --jobs 1.",
        show_default="8 on a GPU, else 1",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def check_device(device: str) -> None:
    """Make sure that `device` is well-formed; whether it is there, only torch can tell.

    Raises:
        UsageError: it is not.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"--device {device}: use auto, cpu, cuda or cuda:N")


def to_pixels(millions: float | None) -> int:
    """The value of `--max-pixels` as a number of pixels.

    Raises:
        UsageError: it is none.
    """
    from kdcli.files.decoded import MAX_PIXELS

    if millions is None:
        return MAX_PIXELS
    if not 0 < millions <= 1e6:
        raise UsageError(f"--max-pixels {millions:g}: use a number of millions above 0, at most 1000000")
    return round(millions * 1e6)


def to_json(report: dict[str, Any]) -> str:
    """One line of JSON; paths become strings and what is no finite number becomes null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    return json.dumps(plain(report), allow_nan=False, default=str)
