"""Any data set, made harder: other kernels, noise, JPEG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdcli.bench.dataset import Dataset, Pair
from kdcli.bench.pairs import Photo, blur, record, to_float
from kdcli.blur.families import FAMILIES, sample
from kdcli.errors import UsageError


@dataclass(frozen=True, eq=False)
class DegradedDataset(Dataset):
    """blurred = JPEG(round(blurred + noise)), where blurred is as it was or new kernel * sharp.

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
        blurred: Photo = pair.blurred
        kernel = pair.kernel
        if self.kernels is not None:
            kernel = sample(self.kernels, 1, np.random.default_rng([self.seed, 0, place]))[0]
            blurred = blur(pair.sharp, kernel)
        rng = np.random.default_rng([self.seed, 1, place])
        seen = record(blurred, rng, noise=self.noise, jpeg=self.jpeg)
        return Pair(pair.name, pair.sharp, to_float(seen), kernel)


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
        noise, jpeg: see ``kdcli.bench.pairs.record``.
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
