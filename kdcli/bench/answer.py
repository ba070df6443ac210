"""What every method gives back, and what some may look at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kdcli.bench.dataset import Pair
from kdcli.errors import KdError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """What a method made of a blurred photo.

    Attributes:
        restored: (H, W, 3) float32.
        kernel: (64, 64) of sum 1, where the method has one.
        seconds: by stage.
        residuals: curves of the reblurring loss, where they were measured: see ``KernelEstimate``.
        confidence: in the kernel, NaN where it was not estimated or nothing is claimed.
        from_camera: whether the photo was restored as one straight from a camera.
    """

    restored: Array
    kernel: Array | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    residuals: list[list[float]] = field(default_factory=list)
    confidence: float = float("nan")
    from_camera: bool = False


def true_kernel(pair: Pair, method: str) -> Array:
    """A pair's kernel.

    Raises:
        KdError: the data set has none.
    """
    if pair.kernel is None:
        raise KdError(f"{method} needs true kernels, and {pair.name} has none")
    return pair.kernel
