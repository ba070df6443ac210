"""What can be measured: kd and parts of it, classical references, and any other program."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import imageio.v3 as iio
import numpy as np
import torch
from numpy.typing import NDArray

from kdcli.bench.dataset import Pair
from kdcli.blur.deconvolve import wiener
from kdcli.blur.sparse import noise_level
from kdcli.engine.deblur import deblur_image, to_array, to_tensor
from kdcli.engine.options import PRESETS, Options, make_options
from kdcli.errors import KdError, UsageError
from kdcli.files.photo import read_photo
from kdcli.weights import Models

Array = NDArray[np.float32]

NAMES = (
    "kd, kd:unguided, kd:unrefined, kd:PRESET, oracle, wiener, identity "
    "or cmd:TEMPLATE with {input} and {output}"
)
_COMMAND_SECONDS = 3600.0  # after which another program counts as hung


@dataclass(frozen=True)
class Answer:
    """What a method made of a blurred photo.

    Attributes:
        restored: (H, W, 3) float32.
        kernel: (64, 64) of sum 1, where the method has one.
        seconds: by stage.
    """

    restored: Array
    kernel: Array | None = None
    seconds: dict[str, float] = field(default_factory=dict)


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
        return make_options(variant, seed=options.seed)
    return replace(options, **_VARIANTS.get(variant, {}))


@dataclass(frozen=True)
class Kd:
    """Kernel and photo by kd, from the blurred photo alone."""

    name: str
    models: Models
    options: Options

    def __call__(self, pair: Pair) -> Answer:
        result = deblur_image(pair.blurred, self.models, self.options)
        return Answer(result.restored, result.kernel, result.seconds)


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


@dataclass(frozen=True)
class Command:
    """Another program, called on a PNG of the photo and expected to write a picture.

    The template is split like a shell's words and run without a shell. ``{input}`` and ``{output}`` are
    PNG files; ``{kernel}``, where it occurs, is the true kernel as a float32 ``.npy`` of sum 1.
    """

    name: str

    def __post_init__(self) -> None:
        for wanted in ("{input}", "{output}"):
            if wanted not in self.name:
                raise UsageError(f"{self.name!r} has no {wanted}: write cmd:PROGRAM {{input}} {{output}}")
        try:
            shlex.split(self.name)
        except ValueError as error:
            raise UsageError(f"{self.name!r}: {error}") from error

    def __call__(self, pair: Pair) -> Answer:
        with tempfile.TemporaryDirectory(prefix="kd-bench-") as folder:
            places = {part: str(Path(folder) / part) for part in ("input.png", "output.png", "kernel.npy")}
            iio.imwrite(places["input.png"], np.round(pair.blurred * 255).astype(np.uint8))
            words = shlex.split(self.name.removeprefix("cmd:"))
            if "{kernel}" in self.name:
                np.save(places["kernel.npy"], true_kernel(pair, self.name))
            for mark, file in (
                ("{input}", "input.png"),
                ("{output}", "output.png"),
                ("{kernel}", "kernel.npy"),
            ):
                words = [word.replace(mark, places[file]) for word in words]
            began = time.perf_counter()
            _call(words)
            seconds = time.perf_counter() - began
            if not Path(places["output.png"]).is_file():
                raise KdError(f"{words[0]} ended well but wrote no {{output}}")
            restored = read_photo(Path(places["output.png"])).pixels
        if restored.ndim == 2:
            restored = np.repeat(restored[..., None], 3, axis=-1)
        if restored.shape != pair.blurred.shape:
            sizes = ["x".join(map(str, shape[1::-1])) for shape in (restored.shape, pair.blurred.shape)]
            raise KdError(f"{words[0]} wrote a picture of {sizes[0]} for a photo of {sizes[1]}")
        return Answer(restored, None, {"command": seconds})


def _call(words: list[str]) -> None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=_COMMAND_SECONDS
        )
    except OSError as error:
        raise KdError(f"cannot run {words[0]}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise KdError(f"{words[0]} did not end within {_COMMAND_SECONDS:.0f} s") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise KdError(f"{words[0]} exited with {done.returncode}: {last[:200]}")


def true_kernel(pair: Pair, method: str) -> Array:
    """A pair's kernel.

    Raises:
        KdError: the data set has none.
    """
    if pair.kernel is None:
        raise KdError(f"{method} needs true kernels, and {pair.name} has none")
    return pair.kernel
