"""Any data set, made harder: other kernels, noise, JPEG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kdcli.bench.dataset import Dataset, Pair
from kdcli.bench.datasets.made import blur, eight_bit
from kdcli.blur import degrade as physics
from kdcli.blur.families import FAMILIES, sample
from kdcli.errors import UsageError


@dataclass(frozen=True, eq=False)
class DegradedDataset(Dataset):
    """blurred = JPEG(round(blurred + noise)), where blurred is as it was or round(new kernel * sharp).

    Every pair has a random stream of its own: it does not matter which pairs are asked for, and noise and
    kernels do not change each other.

    Attributes:
        name, path, names: see ``Dataset``; the name says what was done.
        base: the set as it was.
        noise, jpeg, kernels, seed: see ``degrade``.
    """

    name: str
    path: Path
    names: tuple[str, ...]
    base: Dataset
    noise: float
    jpeg: int | None
    kernels: str | None
    seed: int

    def __getitem__(self, index: int) -> Pair:
        pair = self.base[index]
        place = index % len(self)
        blurred, kernel = pair.blurred, pair.kernel
        if self.kernels is not None:
            kernel = sample(self.kernels, 1, np.random.default_rng([self.seed, 0, place]))[0]
            blurred = blur(pair.sharp, kernel)
        if self.noise > 0:
            blurred = self._noisy(blurred, place)
        if self.jpeg is not None:
            blurred = self._packed(blurred, self.jpeg)
        return Pair(pair.name, pair.sharp, blurred, kernel)

    def _noisy(self, image: NDArray[np.float32], place: int) -> NDArray[np.float32]:
        number = np.random.default_rng([self.seed, 1, place]).integers(2**62)
        generator = torch.Generator().manual_seed(int(number))
        return _array(physics.add_noise(_tensor(image), torch.tensor([self.noise]), generator))

    @staticmethod
    def _packed(image: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
        return _array(physics.jpeg(_tensor(image), torch.tensor([float(quality)])))


def degrade(
    dataset: Dataset,
    *,
    noise: float = 0.0,
    jpeg: int | None = None,
    kernels: str | None = None,
    seed: int = 0,
) -> Dataset:
    """A data set with harder blurred photos, or the set itself where nothing is asked for.

    Args:
        dataset: any.
        noise: standard deviation at mid-grey, white being 1: see ``kdcli.blur.degrade.add_noise``.
        jpeg: quality, 1 to 100, or None: see ``kdcli.blur.degrade.jpeg``.
        kernels: a family of ``kdcli.blur.families`` to blur the sharp photos with anew, or None.
        seed: of the noise and of these kernels.

    Raises:
        UsageError: an option makes no sense.
    """
    if not (math.isfinite(noise) and noise >= 0):
        raise UsageError(f"--noise {noise}: it has to be 0 or more, white being 1")
    if jpeg is not None and not 1 <= jpeg <= 100:
        raise UsageError(f"--jpeg {jpeg}: it has to be from 1 to 100")
    if kernels is not None and kernels not in FAMILIES:
        raise UsageError(f"--kernels {kernels}: choose one of {', '.join(FAMILIES)}")
    parts = []
    if kernels is not None:
        parts.append(f"{kernels} kernels")
    if noise > 0:
        parts.append(f"noise {noise:g}")
    if jpeg is not None:
        parts.append(f"JPEG {jpeg}")
    if not parts:
        return dataset
    name = f"{dataset.name} ({', '.join(parts)})"
    return DegradedDataset(name, dataset.path, dataset.names, dataset, noise, jpeg, kernels, seed)


def _tensor(image: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]


def _array(image: torch.Tensor) -> NDArray[np.float32]:
    """(1, 3, H, W) to (H, W, 3), rounded to 8 bit as a file would be."""
    return eight_bit(image[0].permute(1, 2, 0).numpy())
