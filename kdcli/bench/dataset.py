"""Data-set folders, read: what ``kd synth`` writes, and ``bsd100_motion`` alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.errors import KdError, UsageError
from kdcli.files.photo import read_photo


@dataclass(frozen=True, eq=False)
class Pair:
    """One photo before and after.

    Attributes:
        name: of both picture files.
        sharp, blurred: (H, W, 3) float32 in [0, 1].
        kernel: (64, 64) float32, sum 1.
    """

    name: str
    sharp: NDArray[np.float32]
    blurred: NDArray[np.float32]
    kernel: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pairs in the order of their names; pictures are read when they are asked for.

    Attributes:
        path: the folder.
        names: (N), the pictures' file names.
        kernels: (N, 64, 64) float32.
    """

    path: Path
    names: tuple[str, ...]
    kernels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Pair]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Pair:
        """One pair.

        Raises:
            KdError: a picture is damaged, or the two differ in size.
        """
        name = self.names[index]
        sharp, blurred = (_colour(self.path / part / name) for part in ("sharp", "blurred"))
        if sharp.shape != blurred.shape:
            raise KdError(f"{self.path}: sharp/{name} and blurred/{name} differ in size: make the set again")
        return Pair(name, sharp, blurred, self.kernels[index])


def load_dataset(path: Path) -> Dataset:
    """Open a data-set folder.

    Raises:
        UsageError: the folder or a part of it is missing, or the parts do not fit together.
        KdError: ``kernels.npy`` is damaged.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is no folder: name a data set, such as `kd synth` makes")
    names: dict[str, list[str]] = {}
    for part in ("sharp", "blurred"):
        if not (path / part).is_dir():
            raise UsageError(f"{path} has no folder {part}/: name a data set, such as `kd synth` makes")
        names[part] = sorted(p.name for p in (path / part).glob("*.png"))
    if not names["sharp"]:
        raise UsageError(f"{path / 'sharp'} holds no .png: name a data set, such as `kd synth` makes")
    for name in sorted(set(names["sharp"]) ^ set(names["blurred"])):
        missing = "blurred" if name in names["sharp"] else "sharp"
        raise UsageError(f"{path} has no {missing}/{name}: every picture needs both")
    return Dataset(path, tuple(names["sharp"]), _kernels(path / "kernels.npy", len(names["sharp"])))


def _kernels(path: Path, count: int) -> NDArray[np.float32]:
    if not path.is_file():
        raise UsageError(f"{path.parent} has no {path.name}: a data set needs the true kernels")
    try:
        kernels = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KdError(f"{path} is damaged ({error}): make the set again") from error
    if not isinstance(kernels, np.ndarray) or kernels.shape != (count, KERNEL_SIZE, KERNEL_SIZE):
        shape = "x".join(map(str, getattr(kernels, "shape", ())))
        wanted = f"{count}x{KERNEL_SIZE}x{KERNEL_SIZE}"
        raise UsageError(f"{path} is {shape}: the {count} pictures need {wanted}")
    return kernels.astype(np.float32)


def _colour(path: Path) -> NDArray[np.float32]:
    pixels = read_photo(path).pixels
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)
