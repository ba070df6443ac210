"""What can be measured: kd and parts of it, classical references, and any other program."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from kdcli.bench.answer import Answer, true_kernel
from kdcli.bench.command import Command
from kdcli.bench.dataset import Pair
from kdcli.blur.deconvolve import wiener
from kdcli.blur.noise import noise_level
from kdcli.engine.arrays import to_array, to_tensor
from kdcli.engine.deblur import deblur_image, deblur_images
from kdcli.engine.options import PRESETS, Options, make_options
from kdcli.errors import UsageError
from kdcli.weights import Models

NAMES = (
    "kd, kd:unguided, kd:unrefined, kd:PRESET, oracle, wiener, identity "
    "or cmd:TEMPLATE with {input} and {output}"
)


class Method(Protocol):
    """A way to restore a photo."""

    @property
    def name(self) -> str:
        """As it was asked for."""
        ...

    def __call__(self, pair: Pair) -> Answer:
        """Restore; only methods that say so look at the true kernel, and none at the sharp image."""
        ...


def make_method(text: str, options: Options, models: Callable[[], Models]) -> Method:
    """The method that a name stands for.

    Args:
        models: gives the networks; called only for methods that need them.

    Raises:
        UsageError: no such method.
    """
    if text.startswith("cmd:"):
        return Command(text)
    if text == "identity":
        return Identity()
    if text == "wiener":
        return Wiener()
    if text == "oracle":
        return Oracle(models(), options)
    name, _, variant = text.partition(":")
    if name == "kd" and variant in ("", *_VARIANTS, *PRESETS):
        return Kd(text, models(), _varied(options, variant))
    raise UsageError(f"unknown method {text!r}: use {NAMES}")


_VARIANTS: dict[str, dict[str, Any]] = {
    "unguided": {"guidance": 0.0},  # the paper's ablations (Table 2)
    "unrefined": {"refine_steps": 0},
}


def _varied(options: Options, variant: str) -> Options:
    if variant in PRESETS:
        preset = make_options(variant, blur=options.blur, light=options.light, seed=options.seed)
        return replace(preset, residuals=options.residuals)
    return replace(options, **_VARIANTS.get(variant, {}))


@dataclass(frozen=True)
class Kd:
    """Kernel and photo by kd, from the blurred photo alone."""

    name: str
    models: Models
    options: Options

    def __call__(self, pair: Pair) -> Answer:
        return self.together([pair])[0]

    def together(self, pairs: Sequence[Pair]) -> list[Answer]:
        """Several at once, which keeps a GPU busy."""
        results = deblur_images([pair.blurred for pair in pairs], self.models, self.options)
        return [
            Answer(one.restored, one.kernel, one.seconds, one.residuals, one.confidence, one.from_camera)
            for one in results
        ]


@dataclass(frozen=True)
class Oracle:
    """The true kernel, our solver."""

    models: Models
    options: Options
    name: str = "oracle"

    def __call__(self, pair: Pair) -> Answer:
        kernel = true_kernel(pair, self.name)
        result = deblur_image(pair.blurred, self.models, self.options, kernel=kernel)
        return Answer(result.restored, kernel, result.seconds)


@dataclass(frozen=True)
class Wiener:
    """The true kernel, Wiener's filter with a gradient prior on the mirrored photo."""

    name: str = "wiener"

    def __call__(self, pair: Pair) -> Answer:
        kernel = true_kernel(pair, self.name)
        began = time.perf_counter()
        y = to_tensor(pair.blurred, torch.device("cpu"))
        # A natural image's gradients have about a thousandth of the range squared for variance.
        strength = noise_level(y).square() / 1e-3
        restored = wiener(y, torch.from_numpy(kernel)[None, None], strength)
        return Answer(to_array(restored, pair.blurred), kernel, {"restore": time.perf_counter() - began})


@dataclass(frozen=True)
class Identity:
    """The blurred photo itself: what every method has to beat."""

    name: str = "identity"

    def __call__(self, pair: Pair) -> Answer:
        return Answer(pair.blurred)
