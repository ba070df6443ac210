"""What a user may choose about a run: one frozen dataclass, and the presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from kdcli.errors import UsageError

Preset = Literal["fast", "balanced", "best", "paper"]
Blur = Literal["uniform", "varying", "auto"]
Light = Literal["encoded", "linear"]


@dataclass(frozen=True)
class Options:
    """How kernels are sampled and refined.

    Attributes:
        preset: the name these settings started from.
        steps: reverse-diffusion steps; 1 is the one-step prediction from pure noise.
        guidance: c in the guidance step size c / loss (eq. 33); 0 turns guidance off.
        samples: kernels sampled per patch; the one with the lowest reblurring loss is kept.
        refine_steps: stage II gradient steps on the kernel.
        patches: the most 256x256 patches a kernel is estimated from.
        schedule: of the noise; the network is trained over all signal levels and bears either.
        ancestral: sample as the paper's Algorithm 1 does (DDPM) instead of DDIM.
        coarse, fine: turns of network and likelihood at half and at the whole scale.
        noisy_fine: how many more turns at the whole scale photos with a sensor's noise take.
        settle: how often the kernel is then made as sharp as the photo has it; before every time but the
            first the network looks at photo and kernel again. A fat kernel settles twice, that of a camera's
            photo three times, without such looks.
        looks: at the patches, then at their flips and turns, at half the scale; their kernels are fused.
        fine_looks: how many of them go on from there at the whole scale, to be fused again; photos with a
            sensor's noise let all go on.
        blur: whether one kernel is taken for the whole photo, or kernels that change across it; "auto" looks
            how far those of its quarters agree.
        light: whether the blur acts on values as files encode them, or on light as a sensor counts it.
        residuals: measure the reblurring loss of every step, which guided steps do in any case.
        seed: of the random generator; the same seed, device and version give the same result.
    """

    preset: Preset = "balanced"
    steps: int = 1
    guidance: float = 0.0
    samples: int = 1
    refine_steps: int = 2
    patches: int = 4
    schedule: Literal["linear", "cosine"] = "cosine"
    ancestral: bool = False
    coarse: int = 3
    fine: int = 3
    noisy_fine: int = 0
    looks: int = 4
    fine_looks: int = 2
    settle: int = 1
    blur: Blur = "uniform"
    light: Light = "encoded"
    residuals: bool = False
    seed: int = 0


PRESETS: dict[str, Options] = {
    "fast": Options(preset="fast", patches=1, coarse=2, fine=1, looks=1, fine_looks=1, refine_steps=0),
    "balanced": Options(preset="balanced", noisy_fine=2),
    "best": Options(
        preset="best", coarse=4, fine=6, looks=16, fine_looks=8, settle=3, refine_steps=8, patches=8
    ),
    "paper": Options(
        preset="paper",
        steps=1000,
        guidance=0.1,
        refine_steps=20,
        noisy_fine=2,
        patches=1,
        looks=1,
        fine_looks=1,
        settle=0,
        ancestral=True,
    ),
}


def make_options(
    preset: str = "balanced",
    *,
    steps: int | None = None,
    guidance: float | None = None,
    samples: int | None = None,
    refine_steps: int | None = None,
    blur: str = "uniform",
    light: str = "encoded",
    seed: int = 0,
) -> Options:
    """A preset with some of its settings replaced.

    Raises:
        UsageError: unknown preset, kind of blur or of light, or a setting out of range.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    if blur not in get_args(Blur):
        raise UsageError(f"unknown blur {blur!r}: choose one of {', '.join(get_args(Blur))}")
    if light not in get_args(Light):
        raise UsageError(f"unknown light {light!r}: choose one of {', '.join(get_args(Light))}")
    given: dict[str, object] = {
        "steps": steps,
        "guidance": guidance,
        "samples": samples,
        "refine_steps": refine_steps,
    }
    options = replace(
        PRESETS[preset],
        blur=blur,  # type: ignore[arg-type]
        light=light,  # type: ignore[arg-type]
        seed=seed,
        **{k: v for k, v in given.items() if v is not None},  # type: ignore[arg-type]
    )
    for name, low, high in (
        ("steps", 1, 1000),
        ("samples", 1, 64),
        ("guidance", 0, 10),
        ("refine_steps", 0, 10000),
    ):
        value = getattr(options, name)
        if not low <= value <= high:
            raise UsageError(f"{name.replace('_', '-')} is {value}: it must lie between {low} and {high}")
    if options.steps == 1 and steps is None and (options.guidance > 0 or options.samples > 1):
        raise UsageError(
            "guidance and samples are of the diffusion's steps: add --steps 20, or --preset paper"
        )
    return options
