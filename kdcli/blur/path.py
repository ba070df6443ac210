"""A camera moves without a jump: the path that it draws, the kernel of its shake, is in one piece.

Where it moves fast a path is faint, and estimates lose it first: what is left are the places at which the
camera dwelt. To look for the rest no local search will do, since one that sets out with a gap restores the
photo to match it. So gaps are closed, faintly, and the search is left to say what is there.
"""

from __future__ import annotations

import numpy as np
import torch

from kdcli.blur.kernels import normalise, smooth

# Relative to the kernel's peak.
_STRONG = 0.2  # what is no weaker belongs to a part
_LINK = 0.25  # how strong links between parts are made
_EMPTY = 0.02  # what a link crosses at the same cost as nothing at all
_LEAST = 0.02  # of the kernel's mass: weaker parts are ghosts, more often than not


def linked(kernel: torch.Tensor) -> torch.Tensor:
    """A kernel whose strong parts are linked, along the ways of most mass between them.

    Args:
        kernel: (1, 1, K, K), sum 1.

    Returns:
        (1, 1, K, K), sum 1; the kernel itself where it is in one piece.
    """
    from skimage.measure import label  # with scipy, 0.4 seconds, which only photos of cameras take

    relative = kernel / kernel.amax()
    strength = relative[0, 0].cpu().numpy().astype(np.float64)
    labels = label(strength > _STRONG, connectivity=2)
    masses = np.bincount(labels.ravel(), strength.ravel())[1:]
    parts = 1 + np.flatnonzero(masses > _LEAST * strength.sum())
    if len(parts) < 2:
        return kernel
    link = smooth(torch.from_numpy(_ways(strength, labels, parts)).to(kernel)[None, None])
    return normalise(torch.maximum(relative, _LINK * link / link.amax()))


def _ways(strength: np.ndarray, labels: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """A mask (K, K) of the pixels of the ways that link the parts, the nearest first: a tree."""
    from skimage.graph import MCP_Geometric

    search = MCP_Geometric(1 / (strength + _EMPTY), fully_connected=True)
    ways = np.zeros_like(strength)
    reached = labels == max(parts, key=lambda part: (labels == part).sum())
    while (rest := np.isin(labels, parts) & ~reached).any():
        far, _ = search.find_costs(np.argwhere(reached))
        end = np.unravel_index(np.where(rest, far, np.inf).argmin(), far.shape)
        for pixel in search.traceback(end)[1:-1]:  # between the parts
            ways[pixel] = 1
        reached |= labels == labels[end]
    return ways
