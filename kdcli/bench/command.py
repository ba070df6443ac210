"""Any other program as a method."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from kdcli.bench.answer import Answer, true_kernel
from kdcli.bench.dataset import Pair
from kdcli.errors import KdError, UsageError
from kdcli.files.photo import read_colour

_SECONDS = 3600.0  # after which a program counts as hung


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
            files = {
                "{input}": Path(folder) / "input.png",
                "{output}": Path(folder) / "output.png",
                "{kernel}": Path(folder) / "kernel.npy",
            }
            iio.imwrite(files["{input}"], np.round(pair.blurred * 255).astype(np.uint8))
            if "{kernel}" in self.name:
                np.save(files["{kernel}"], true_kernel(pair, self.name))
            words = shlex.split(self.name.removeprefix("cmd:"))
            for mark, file in files.items():
                words = [word.replace(mark, str(file)) for word in words]
            began = time.perf_counter()
            _call(words)
            seconds = time.perf_counter() - began
            if not files["{output}"].is_file():
                raise KdError(f"{words[0]} ended well but wrote no {{output}}")
            restored = read_colour(files["{output}"])
        if restored.shape != pair.blurred.shape:
            sizes = ["x".join(map(str, shape[1::-1])) for shape in (restored.shape, pair.blurred.shape)]
            raise KdError(f"{words[0]} wrote a picture of {sizes[0]} for a photo of {sizes[1]}")
        return Answer(restored, None, {"command": seconds})


def _call(words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
    except OSError as error:
        raise KdError(f"cannot run {words[0]}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise KdError(f"{words[0]} did not end within {_SECONDS:.0f} s") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise KdError(f"{words[0]} exited with {done.returncode}: {last[:200]}")
