"""Data sets that name their files one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdcli.bench.dataset import Dataset, Pair, read_pair


@dataclass(frozen=True, eq=False)
class FilesDataset(Dataset):
    """Pairs of files.

    Attributes:
        name, path, names: see ``Dataset``.
        files: (N), the sharp and the blurred file of each.
        kernels: (N), (64, 64) float32 each, or None.
    """

    name: str
    path: Path
    names: tuple[str, ...]
    files: tuple[tuple[Path, Path], ...]
    kernels: tuple[NDArray[np.float32], ...] | None = None

    def __getitem__(self, index: int) -> Pair:
        kernel = None if self.kernels is None else self.kernels[index]
        return read_pair(self.names[index], *self.files[index], kernel)
