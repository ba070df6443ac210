"""BSD100 under motion blur: the protocol of the paper's Tables 1 and 2.

The photos are the 100 test images of Martin, Fowlkes, Tal and Malik, *A Database of Human Segmented
Natural Images*, ICCV 2001.
"""

from __future__ import annotations

from pathlib import Path

from kdcli.bench.dataset import Dataset, load_dataset
from kdcli.bench.datasets.hub import fetch_photos
from kdcli.bench.datasets.made import MadeDataset
from kdcli.errors import KdError
from kdcli.files.encode import SUFFIXES

NAME = "bsd100"
COUNT = 100

REPOSITORY = "eugenesiow/BSD100"
ARCHIVE = "data/BSD100_HR.tar.gz"
REVISION = "600666edcba3b8386c367fcb03e72424a1ff9f86"

_FOLDERS = ("BSD100_HR", "BSD100", "bsd100")


def open_bsd100(data_dir: Path | None) -> Dataset:
    """100 pairs (256, 256, 3).

    In the data folder, ``bsd100_motion/`` is a data set as it is, and ``BSD100_HR/``, ``BSD100/`` or
    ``bsd100/`` holds the 100 photos. Else these come from the Hugging Face Hub, once. From photos, pairs
    are made: a random crop each and a random motion kernel, blurred = kernel * sharp with reflected
    borders, no noise, rounded to 8 bit; the same pairs on every machine.

    Raises:
        UsageError: ``bsd100_motion/`` is not whole.
        KdError: the photos are not 100, or cannot be fetched.
    """
    if data_dir is not None and (data_dir / "bsd100_motion").is_dir():
        return load_dataset(data_dir / "bsd100_motion", NAME)
    local = (data_dir / folder for folder in _FOLDERS) if data_dir is not None else ()
    folder = next((path for path in local if path.is_dir()), None)
    if folder is None:
        folder = fetch_photos(REPOSITORY, ARCHIVE, REVISION)
    photos = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if len(photos) != COUNT:
        raise KdError(f"{folder} holds {len(photos)} photos: {NAME} has {COUNT}; mend it or take it away")
    return MadeDataset(NAME, folder, tuple(f"{photo.stem}.png" for photo in photos), tuple(photos))
