"""Data-set folders: sharp crops of photos, their blurred copies, and the kernels between them."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from kdcli._version import __version__
from kdcli.bench.pairs import CROP, blur, random_crop, record, to_float
from kdcli.blur.families import FAMILIES, sample
from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.errors import KdError, UsageError
from kdcli.files.encode import SUFFIXES
from kdcli.files.photo import read_colour

_KERNELS_AT_ONCE = 256


def synthesise(
    photos: Path,
    out: Path,
    *,
    count: int,
    kernels: str,
    noise: float,
    jpeg: int | None,
    seed: int,
    progress: Callable[[str, float], None] | None = None,
) -> None:
    """Write a data set: ``sharp/NNN.png``, ``blurred/NNN.png``, ``kernels.npy`` and ``synth.json``.

    blurred = JPEG(round(kernel * sharp + noise)), see ``kdcli.bench.pairs``, on random crops of 256x256
    pixels; the kernels are (count, 64, 64) float32. The same seed and the same photos give the same files.

    Args:
        photos: folder of sharp photos; those of fewer than 256 pixels a side are left out.
        out: the new folder, absent or empty; it appears whole or not at all.
        count: pairs.
        kernels: a family of ``kdcli.blur.families``.
        noise, jpeg: see ``kdcli.bench.pairs.record``.
        seed: of every random choice.
        progress: called with ("synth", fraction).

    Raises:
        UsageError: an unknown family, no usable photo, or a folder in the way.
        KdError: an unreadable photo, or the system refused to write.
    """
    if kernels not in FAMILIES:
        raise UsageError(f"--kernels {kernels}: choose one of {', '.join(FAMILIES)}")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty: name a new folder")
    files = usable_photos(photos)
    settings: dict[str, Any] = {
        "count": count,
        "kernels": kernels,
        "noise": noise,
        "jpeg": jpeg,
        "seed": seed,
    }
    target = out.resolve()
    temporary = target.parent / f".kd-{secrets.token_hex(8)}.part"
    try:
        try:
            pairs = _write_pairs(files, temporary, **settings, progress=progress)
            facts = {"version": __version__, "photos": str(photos), **settings}
            facts |= {"size": CROP, "kernel_size": KERNEL_SIZE, "border": "reflect", "pairs": pairs}
            (temporary / "synth.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            if target.exists():
                target.rmdir()
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise KdError(f"cannot write {out}: {reason}: check the folder and the free space") from error


def usable_photos(folder: Path) -> list[Path]:
    """The photos of a folder, in the order of their names, that hold a 256x256 crop.

    Raises:
        UsageError: there is none, or the folder cannot be read.
        KdError: a file that is named like a photo is none.
    """
    try:
        names = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{folder}: {reason}: name a folder that holds sharp photos") from error
    usable = [path for path in names if min(_size(path)) >= CROP]
    if not usable:
        raise UsageError(f"{folder} holds no photo of at least {CROP}x{CROP} pixels: name another folder")
    return usable


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise KdError(f"{path}: not a photo that kd can read: mend it or take it out") from error


def _write_pairs(
    files: list[Path],
    folder: Path,
    *,
    count: int,
    kernels: str,
    noise: float,
    jpeg: int | None,
    seed: int,
    progress: Callable[[str, float], None] | None,
) -> list[dict[str, Any]]:
    """Fill a new folder with the pictures and ``kernels.npy``; where each pair comes from."""
    for part in ("sharp", "blurred"):
        (folder / part).mkdir(parents=True)
    shape = (count, KERNEL_SIZE, KERNEL_SIZE)
    stored = np.lib.format.open_memmap(folder / "kernels.npy", mode="w+", dtype=np.float32, shape=shape)
    kernel_rng, photo_rng, noise_rng = (np.random.default_rng([seed, stream]) for stream in range(3))
    digits = max(3, len(str(count - 1)))
    pairs: list[dict[str, Any]] = []
    for index in range(count):
        if index % _KERNELS_AT_ONCE == 0:
            block = sample(kernels, min(_KERNELS_AT_ONCE, count - index), kernel_rng)
            stored[index : index + len(block)] = block
        file = files[int(photo_rng.integers(len(files)))]
        sharp, (top, left) = random_crop(read_colour(file), photo_rng)
        blurred = blur(to_float(sharp), block[index % _KERNELS_AT_ONCE])
        seen = record(blurred, noise_rng, noise=noise, jpeg=jpeg)
        name = f"{index:0{digits}}.png"
        Image.fromarray(sharp).save(folder / "sharp" / name)
        Image.fromarray(seen).save(folder / "blurred" / name)
        pairs.append({"name": name, "photo": file.name, "top": top, "left": left})
        if progress is not None:
            progress("synth", (index + 1) / count)
    stored.flush()
    return pairs
