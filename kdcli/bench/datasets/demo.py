"""A small set that is always there: everyday colour photos that come with scikit-image."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from kdcli.bench.datasets.made import MadeDataset
from kdcli.errors import KdError

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
"""Those that lie in scikit-image's wheel; most of its other pictures are fetched when asked for."""

_TIMES = 2  # pairs from each


def open_demo(data_dir: Path | None = None) -> MadeDataset:
    """Eight pairs (256, 256, 3), two from each photo; made like ``bsd100``, and as little to be trained on.

    Raises:
        KdError: scikit-image lacks its photos.
    """
    folder = Path(str(files("skimage") / "data"))
    for name in PHOTOS:
        if not (folder / name).is_file():
            raise KdError(f"{folder / name} is missing from the installation: install scikit-image again")
    photos = tuple(folder / name for name in PHOTOS for _ in range(_TIMES))
    names = tuple(f"{Path(name).stem}-{n}.png" for name in PHOTOS for n in range(1, _TIMES + 1))
    return MadeDataset("demo", folder, names, photos)
