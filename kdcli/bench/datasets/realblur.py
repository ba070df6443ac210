"""RealBlur-J: camera shake in JPEG photos, taken beside sharp ones through one lens.

Rim, Lee, Won and Cho, *Real-World Blur Dataset for Learning and Benchmarking Deblurring Algorithms*,
ECCV 2020.
"""

from __future__ import annotations

from pathlib import Path

from kdcli.bench.datasets.files import FilesDataset
from kdcli.bench.datasets.places import find_set, require
from kdcli.errors import KdError

NAME = "realblur-j"
OFFER = "https://cg.postech.ac.kr/research/realblur"
LIST = "RealBlur_J_test_list.txt"


def open_realblur(data_dir: Path | None) -> FilesDataset:
    """The test pairs (980 as published), without kernels.

    Read are ``realblur-j/`` or ``RealBlur/`` as the archive unpacks: ``RealBlur_J_test_list.txt``, each of
    whose lines starts with the sharp and the blurred file, relative to the list and without spaces:
    ``RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene230/gt/gt_7.png .../scene230/blur/blur_7.png``.
    Pairs are named by the scene and the blurred file: ``scene230_blur_7.png``.

    Raises:
        UsageError: something is missing.
        KdError: the list is damaged.
    """
    folder = find_set(data_dir, NAME, ("realblur-j", "RealBlur"), OFFER)
    path = folder / LIST
    require([] if path.is_file() else [LIST], folder, NAME, OFFER)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KdError(f"{path} cannot be read ({error}): get it again from {OFFER}") from error
    rows = [line.split()[:2] for line in lines if line.strip()]
    if not rows or any(len(row) < 2 for row in rows):
        raise KdError(f"{path} is damaged: each line has to name a sharp and a blurred file")
    require([file for row in rows for file in row if not (folder / file).is_file()], folder, NAME, OFFER)
    files = tuple((folder / sharp, folder / blurred) for sharp, blurred in rows)
    names = tuple(f"{blurred.parent.parent.name}_{blurred.name}" for _, blurred in files)
    if len(set(names)) < len(names):
        raise KdError(f"{path} is damaged: it names a blurred file twice")
    return FilesDataset(NAME, folder, names, files)
