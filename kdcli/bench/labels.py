"""What a measure is called, how its numbers are written, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One measure as people see it.

    Attributes:
        name: its key in results.
        title: its name on a page.
        form: a format of numbers, such as ".2f".
        higher_is_better: whether a larger value is the better one.
    """

    name: str
    title: str
    form: str = ".4g"
    higher_is_better: bool = True

    def show(self, value: float | None, *, sign: bool = False) -> str:
        """The value as text; a dash stands for one that is not there."""
        if value is None or math.isnan(value):
            return "–"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        return format(value, ("+" if sign else "") + self.form).replace("-", "−")


_KNOWN = {
    measure.name: measure
    for measure in (
        Measure("psnr", "PSNR (dB)", ".2f"),
        Measure("ssim", "SSIM", ".4f"),
        Measure("mnc", "MNC", ".3f"),
        Measure("psnr_aligned", "PSNR aligned (dB)", ".2f"),
        Measure("ssim_aligned", "SSIM aligned", ".4f"),
        Measure("psnr_input", "PSNR of input (dB)", ".2f"),
        Measure("error_ratio", "error ratio", ".2f", False),
        Measure("lpips", "LPIPS", ".4f", False),
        Measure("fid", "FID", ".2f", False),
        Measure("confidence", "confidence", ".3f"),
        Measure("calibration", "calibration", ".2f"),
        Measure("reblur_loss", "reblur loss", ".4g", False),
        Measure("reblur_loss_true", "reblur loss, true kernel", ".4g", False),
        Measure("seconds", "seconds", ".2f", False),
        Measure("peak_memory_mib", "peak memory (MiB)", ".0f", False),
    )
}

_RATE = "success"  # the start of the names of rates that a mean may state, which are no measures

_LOWER = ("seconds", "memory", "reblur_loss", "error")


def label(name: str) -> Measure:
    """A measure by its key; one that is not known here goes by that key."""
    if name in _KNOWN:
        return _KNOWN[name]
    form = ".2f" if name.startswith("seconds") else ".4g"
    return Measure(name, name.replace("_", " "), form, not name.startswith(_LOWER))


def number(values: Mapping[str, Any], name: str) -> float | None:
    """A measure of an image or a mean; None where it is absent, null or no number. NaN stays."""
    value = values.get(name)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def of_set(method: Mapping[str, Any]) -> dict[str, float]:
    """The measures of all images together, such as FID: those that a mean states and no image has."""
    every = {name for image in method["images"] for name in image}
    known = {name: number(method.get("mean", {}), name) for name in method.get("mean", {})}
    return {
        name: value
        for name, value in known.items()
        if value is not None and name not in every and not name.startswith(_RATE)
    }


def measured(methods: Iterable[Mapping[str, Any]]) -> list[Measure]:
    """Every measure that some image or mean has: the known ones in their order, then the others."""
    found: dict[str, None] = {}
    for method in methods:
        for values in (*method["images"], method.get("mean", {})):
            names = (name for name in values if number(values, name) is not None)
            found.update((name, None) for name in names if not name.startswith(_RATE))
    known = [name for name in _KNOWN if name in found]
    return [label(name) for name in (*known, *(name for name in found if name not in _KNOWN))]
