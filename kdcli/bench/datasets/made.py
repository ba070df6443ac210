"""Pairs made from sharp photos by the paper's protocol, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kdcli.bench.dataset import Dataset, Pair, read_colour
from kdcli.blur.convolve import convolve
from kdcli.blur.families import sample
from kdcli.errors import KdError

CROP = 256
"""Side of the pairs in pixels."""


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
        top, left = (int(rng.integers(side - CROP + 1)) for side in photo.shape[:2])
        sharp = eight_bit(photo[top : top + CROP, left : left + CROP])
        kernel = sample("motion", 1, rng)[0]
        return Pair(self.names[index], sharp, blur(sharp, kernel), kernel)


def blur(sharp: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """kernel * sharp, borders reflected, rounded to 8 bit.

    Args:
        sharp: (H, W, 3) in [0, 1].
        kernel: (64, 64).
    """
    image = torch.from_numpy(np.ascontiguousarray(sharp)).permute(2, 0, 1)[None].double()
    blurred = convolve(image, torch.from_numpy(np.ascontiguousarray(kernel))[None, None].double())
    return eight_bit(blurred[0].permute(1, 2, 0).numpy())


def eight_bit(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """An image clipped to [0, 1] and rounded to 256 levels.

    What lies within a 200,000th of a level from the middle between two counts as the middle, so that the
    last bits of a Fourier transform, which differ between machines, do not decide.
    """
    levels = np.rint(np.round(np.clip(image, 0, 1).astype(np.float64) * 255, 5))
    return (levels / 255).astype(np.float32)
