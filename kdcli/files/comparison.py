"""A picture of what was done: before, after and the kernel, side by side, each below its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kdcli.files.atomic import write_atomically
from kdcli.files.encode import SUFFIXES, encode
from kdcli.files.paths import check_output
from kdcli.files.place import Place
from kdcli.files.psf import kernel_picture
from kdcli.files.samples import to_integers

LONGEST = 1600
"""Side in pixels that larger photos are scaled down to: two of them still fit a screen, or nearly."""

_GAP, _TEXT = 8, 15
_GROUND, _INK = (24, 24, 24), (224, 224, 224)
_MAGNIFIED = 4


def write_comparison(
    path: Place,
    before: NDArray[Any],
    after: NDArray[Any],
    kernel: NDArray[Any],
    *,
    icc: bytes | None = None,
    overwrite: bool = False,
) -> None:
    """Write the picture in the format that the suffix of `path` names, with 8 bits a sample.

    Args:
        before, after: (H, W) or (H, W, 3) in [0, 1] (clipped to it).
        kernel: (k, k).
        icc: the photo's colour profile.

    Raises:
        UsageError: unknown suffix, missing folder, or a file in the way.
        KdError: the system refused.
    """
    check_output(path, SUFFIXES, overwrite=overwrite)
    picture = side_by_side([_photo("before", before), _photo("after", after), _kernel(kernel, len(before))])
    profile = icc if icc and icc[16:20] == b"RGB " else None
    data = encode(np.asarray(picture), SUFFIXES[path.suffix.lower()], icc=profile)
    write_atomically(path, data, overwrite=overwrite)


def side_by_side(panels: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Panels from left to right on a dark ground, the name of each above it."""
    font = ImageFont.load_default(_TEXT)
    widths = [max(picture.width, round(font.getlength(name))) for name, picture in panels]
    top = _TEXT + 2 * _GAP
    height = top + max(picture.height for _, picture in panels) + _GAP
    canvas = Image.new("RGB", (sum(widths) + _GAP * (len(panels) + 1), height), _GROUND)
    draw = ImageDraw.Draw(canvas)
    left = _GAP
    for (name, picture), width in zip(panels, widths, strict=True):
        draw.text((left, _GAP), name, font=font, fill=_INK)
        canvas.paste(picture, (left, top))
        left += width + _GAP
    return canvas


def _photo(name: str, pixels: NDArray[Any]) -> tuple[str, Image.Image]:
    samples = to_integers(pixels, None, 8)
    photo = Image.fromarray(samples[..., 0] if samples.shape[-1] == 1 else samples).convert("RGB")
    scale = LONGEST / max(photo.size)
    if scale < 1:
        photo.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        name = f"{name}, at {scale:.0%}"
    return name, photo


def _kernel(kernel: NDArray[Any], height: int) -> tuple[str, Image.Image]:
    """Magnified, as far as it does not outgrow the photos."""
    times = max(1, min(_MAGNIFIED, height // len(kernel)))
    picture = Image.fromarray(kernel_picture(kernel)).convert("RGB")
    return "kernel", picture.resize((times * picture.width, times * picture.height), Image.Resampling.NEAREST)
