"""Pairs made from sharp photos by the paper's protocol, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdcli.bench.dataset import Dataset, Pair
from kdcli.bench.pairs import CROP, blur, random_crop, record, to_float
from kdcli.blur.families import sample
from kdcli.errors import KdError
from kdcli.files.photo import read_colour


@dataclass(frozen=True, eq=False)
class MadeDataset(Dataset):
    """Blurred crops: a random place and a random motion kernel each, drawn from the pair's own seed.

    Attributes:
        name, path, names: see ``Dataset``.
        photos: (N), the sharp photo of each pair.
        seed: of all pairs.
    """

    name: str
    path: Path
    names: tuple[str, ...]
    photos: tuple[Path, ...]
    seed: int = 0

    def __getitem__(self, index: int) -> Pair:
        photo = read_colour(self.photos[index])
        if min(photo.shape[:2]) < CROP:
            raise KdError(f"{self.photos[index]} is smaller than {CROP}x{CROP} pixels: get it again")
        rng = np.random.default_rng([self.seed, index % len(self)])
        sharp = to_float(random_crop(photo, rng)[0])
        kernel = sample("motion", 1, rng)[0]
        return Pair(self.names[index], sharp, to_float(record(blur(sharp, kernel), rng)), kernel)
