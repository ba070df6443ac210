"""Kernels on a grid over a photo, for blur that changes across it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kdcli.blur.kernels import mnc
from kdcli.blur.motion_density import MotionDensity
from kdcli.engine.patches import PATCH

MOST = (5, 7)
"""Nodes along the shorter and the longer side, if nobody asks for more."""

_SPACING = 160  # of nodes in pixels, at least: patches that share most of their pixels tell little apart


@dataclass(frozen=True, eq=False)
class KernelGrid:
    """Blur kernels at the nodes of a grid, and what they come from.

    Attributes:
        kernels: (R, C, 64, 64) float32, sum 1, their centres of mass at the origin.
        rows, columns: (R,) and (C,), where the nodes are, in pixels of the photo.
        agreement: how alike (MNC) the kernels are that the patches gave by themselves, in [0, 1].
        motion: the camera's, which gives the kernel of every pixel.
        found: False of a photo without edges, whose kernels are made up.
    """

    kernels: np.ndarray
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    agreement: float
    motion: MotionDensity
    found: bool = True

    @property
    def middle(self) -> np.ndarray:
        """The kernel of the middle node: (64, 64)."""
        middle: np.ndarray = self.kernels[len(self.rows) // 2, len(self.columns) // 2]
        return middle

    @property
    def spacing(self) -> float:
        """The smallest distance of neighbouring nodes in pixels; infinite for a single one."""
        return float(min([*np.diff(self.rows), *np.diff(self.columns)], default=np.inf))


def nodes(size: tuple[int, int], shape: tuple[int, int] | None = None) -> tuple[list[int], list[int]]:
    """First rows and first columns of the patches of a grid that covers a photo.

    Args:
        size: (H, W) of the photo, at least 256 each.
        shape: rows and columns of nodes; by default as many as tell anything apart, up to ``MOST``.
    """
    most = MOST if size[0] <= size[1] else MOST[::-1]
    counts = shape or [
        min(limit, 1 + (side - PATCH) // _SPACING) for limit, side in zip(most, size, strict=True)
    ]
    rows, columns = (
        [round(i * (side - PATCH) / (n - 1)) for i in range(n)] if n > 1 else [(side - PATCH) // 2]
        for n, side in zip(counts, size, strict=True)
    )
    return rows, columns


def cut(photo: torch.Tensor, rows: Sequence[int], columns: Sequence[int]) -> torch.Tensor:
    """The patches (R * C, C, 256, 256) of a photo (1, C, H, W) whose first rows and columns these are."""
    return torch.cat([photo[..., r : r + PATCH, c : c + PATCH] for r in rows for c in columns])


def agreement(kernels: torch.Tensor, trust: torch.Tensor) -> float:
    """How alike kernels (N, 64, 64), N > 1, are: the mean MNC of all pairs, in [0, 1].

    Args:
        trust: (N,), positive; a pair weighs the product of its two.
    """
    one, other = torch.triu_indices(len(kernels), len(kernels), 1).unbind()
    weights = trust[one] * trust[other]
    return float((weights * mnc(kernels[one], kernels[other])).sum() / weights.sum())
