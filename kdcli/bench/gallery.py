"""The restored photos of a run, kept on disk until its report is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kdcli.bench.answer import Answer
from kdcli.bench.dataset import Dataset
from kdcli.bench.pictures import Pictures
from kdcli.errors import KdError


class Gallery(Mapping[str, Pictures]):
    """What there is to see of every image, by its name; read when asked for.

    Args:
        folder: where answers are kept, one ``.npz`` (8-bit photo, kernel) an image and method.
        methods: their names, in order.
    """

    def __init__(self, folder: Path, dataset: Dataset, methods: tuple[str, ...]):
        self.folder, self.dataset, self.methods = folder, dataset, methods
        self._places = {name: index for index, name in enumerate(dataset.names)}

    def keep(self, method: int, image: int, answer: Answer) -> None:
        """Store an answer.

        Raises:
            KdError: the system refused.
        """
        kernel = np.zeros((0, 0), np.float32) if answer.kernel is None else answer.kernel
        restored = (np.clip(answer.restored, 0, 1) * 255).round().astype(np.uint8)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(self._file(method, image), restored=restored, kernel=kernel)
        except OSError as error:
            raise KdError(f"cannot write to {self.folder}: {error.strerror or error}") from error

    def keeps(self, method: int, image: int) -> bool:
        """Whether there is an answer."""
        return self._file(method, image).is_file()

    def _file(self, method: int, image: int) -> Path:
        return self.folder / f"{method}-{image}.npz"

    def __getitem__(self, name: str) -> Pictures:
        image = self._places[name]
        pair = self.dataset[image]
        restored, kernels = {}, {}
        for index, method in enumerate(self.methods):
            if self.keeps(index, image):
                with np.load(self._file(index, image), allow_pickle=False) as kept:
                    restored[method] = kept["restored"].astype(np.float32) / 255
                    kernels[method] = kept["kernel"] if kept["kernel"].size else None
        return Pictures(pair.blurred, pair.sharp, restored, pair.kernel, kernels)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def remove(self) -> None:
        """Forget all answers."""
        shutil.rmtree(self.folder, ignore_errors=True)
