"""Köhler's set: 4 posters under 12 camera shakes that a robot played back.

Köhler, Hirsch, Mohler, Schölkopf and Harmeling, *Recording and Playback of Camera Shake: Benchmarking
Blind Deconvolution with a Real-World Database*, ECCV 2012.
"""

from __future__ import annotations

import re
from pathlib import Path

from kdcli.bench.datasets.files import FilesDataset
from kdcli.bench.datasets.places import find_set, require

NAME = "kohler"
OFFER = "https://webdav.tuebingen.mpg.de/pixel/benchmark4camerashake"

_SHARP = re.compile(r"GroundTruth(\d+_\d+)(?:_(\d+))?\.png")


def open_kohler(data_dir: Path | None) -> FilesDataset:
    """The 48 pairs, without kernels: the blur of a turning camera is no single kernel.

    Read is ``kohler/`` with the publishers' archives unpacked in it, in whatever folders they make, since
    their file names say all: ``BlurryI_K.png`` from BlurryImages.zip and ``GroundTruthI_K_F.png`` (in
    ``ImageI/KernelK/``) from GroundTruth_pngs_ImageI.zip; I = 1..4, K = 1..12, and F counts the nearly
    200 sharp frames along one shake. The publishers score against the frame that fits best; here the
    middle one is the sharp photo, and the aligned measures take up the shift between the frames.
    A single ``GroundTruthI_K.png`` does as well.

    The layout follows the archives' published names; it was not checked against the archives themselves.

    Raises:
        UsageError: something is missing.
    """
    folder = find_set(data_dir, NAME, ("kohler", "Kohler"), OFFER)
    blurred = {path.name: path for path in folder.rglob("Blurry*.png")}
    frames: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.rglob("GroundTruth*.png"):
        if match := _SHARP.fullmatch(path.name):
            frames.setdefault(match[1], []).append((int(match[2] or 0), path))
    shots = [f"{image}_{kernel}" for image in range(1, 5) for kernel in range(1, 13)]
    missing = [f"Blurry{shot}.png" for shot in shots if f"Blurry{shot}.png" not in blurred]
    missing += [f"GroundTruth{shot}_*.png" for shot in shots if shot not in frames]
    require(missing, folder, NAME, OFFER)
    names = tuple(f"Blurry{shot}.png" for shot in shots)
    sharp = (sorted(frames[shot])[(len(frames[shot]) - 1) // 2][1] for shot in shots)
    return FilesDataset(NAME, folder, names, tuple(zip(sharp, (blurred[n] for n in names), strict=True)))
