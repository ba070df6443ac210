"""Data sets: pairs of a sharp and a blurred photo. Those in folders are read here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.errors import KdError, UsageError
from kdcli.files.encode import SUFFIXES
from kdcli.files.photo import read_colour


@dataclass(frozen=True, eq=False)
class Pair:
    """One photo before and after.

    Attributes:
        name: of both picture files, one of its kind in its data set.
        sharp, blurred: (H, W, 3) float32 in [0, 1]; grey photos have three equal channels.
        kernel: (64, 64) float32, sum 1, its centre of mass at the origin; None where nobody knows it.
    """

    name: str
    sharp: NDArray[np.float32]
    blurred: NDArray[np.float32]
    kernel: NDArray[np.float32] | None


class Dataset(ABC):
    """Pairs in a fixed order; pictures are read or made when they are asked for.

    Attributes:
        name: what users call it.
        path: where its pictures lie.
        names: (N), of the pairs.
    """

    name: str
    path: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Pair]:
        return (self[index] for index in range(len(self)))

    @abstractmethod
    def __getitem__(self, index: int) -> Pair:
        """One pair, the same whenever it is asked for.

        Raises:
            IndexError: there are fewer.
            KdError: a picture is damaged, or the two differ in size.
        """


@dataclass(frozen=True, eq=False)
class FolderDataset(Dataset):
    """What ``kd synth`` writes, and pairs of folders with equal names.

    Attributes:
        name, path, names: see ``Dataset``; the names are those of the files in sharp/ and blurred/.
        kernels: (N, 64, 64) float32, or None.
    """

    name: str
    path: Path
    names: tuple[str, ...]
    kernels: NDArray[np.float32] | None

    def __getitem__(self, index: int) -> Pair:
        name = self.names[index]
        kernel = None if self.kernels is None else self.kernels[index]
        return read_pair(name, self.path / "sharp" / name, self.path / "blurred" / name, kernel)


def load_dataset(path: Path, name: str | None = None) -> FolderDataset:
    """Open a data-set folder: sharp/ and blurred/, and kernels.npy where the kernels are known.

    Args:
        path: the folder.
        name: what to call it, its path by default.

    Raises:
        UsageError: the folder or a part of it is missing, or the parts do not fit together.
        KdError: ``kernels.npy`` is damaged.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is no folder: name a data set, such as `kd synth` makes")
    files: dict[str, list[str]] = {}
    for part in ("sharp", "blurred"):
        if not (path / part).is_dir():
            raise UsageError(f"{path} has no folder {part}/: name a data set, such as `kd synth` makes")
        files[part] = sorted(p.name for p in (path / part).iterdir() if p.suffix.lower() in SUFFIXES)
    if not files["sharp"]:
        raise UsageError(f"{path / 'sharp'} holds no photo: name a data set, such as `kd synth` makes")
    for file in sorted(set(files["sharp"]) ^ set(files["blurred"])):
        missing = "blurred" if file in files["sharp"] else "sharp"
        raise UsageError(f"{path} has no {missing}/{file}: every picture needs both")
    return FolderDataset(name or str(path), path, tuple(files["sharp"]), _kernels(path, len(files["sharp"])))


def read_pair(name: str, sharp: Path, blurred: Path, kernel: NDArray[np.float32] | None) -> Pair:
    """The pair of two files.

    Raises:
        UsageError: a file is missing.
        KdError: one is damaged, or the two differ in size.
    """
    before, after = read_colour(sharp), read_colour(blurred)
    if before.shape != after.shape:
        places = [f"{file.parent.name}/{file.name}" for file in (sharp, blurred)]
        raise KdError(f"{sharp.parent.parent}: {' and '.join(places)} differ in size: make the set again")
    return Pair(name, before, after, kernel)


def _kernels(folder: Path, count: int) -> NDArray[np.float32] | None:
    path = folder / "kernels.npy"
    if not path.is_file():
        if (folder / "synth.json").is_file():  # kd made them, so they were lost
            raise UsageError(f"{folder} has no {path.name}: make the set again with `kd synth`")
        return None
    try:
        kernels = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KdError(f"{path} is damaged ({error}): make the set again") from error
    if not isinstance(kernels, np.ndarray) or kernels.shape != (count, KERNEL_SIZE, KERNEL_SIZE):
        shape = "x".join(map(str, getattr(kernels, "shape", ())))
        wanted = f"{count}x{KERNEL_SIZE}x{KERNEL_SIZE}"
        raise UsageError(f"{path} is {shape}: the {count} pictures need {wanted}")
    return kernels.astype(np.float32)
