"""Small kernels from the photo alone: ascents on the marginal likelihood, from coarse to fine.

Where a photo is reduced until its kernel is three pixels wide, hardly anything can be mistaken; every scale
starts from the kernel of the one before (Fergus et al., "Removing camera shake from a single photograph",
2006). Nothing here has to know what kernels look like, but large ones lose their way.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.kernels import KERNEL_SIZE, centred_exactly, normalise, without_specks
from kdcli.blur.marginal import ascend

EXTENT = 32
"""Of the largest kernels that are found, in pixels."""

_RATIO = 2**-0.5  # between scales
_SCALES = 7
_LEVEL = 0.15
_ROUNDS = 6
_SPECKS = 0.02  # of the peak: what is weaker does not go to the next scale


@torch.no_grad()
def climb(y: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Find kernels of at most ``EXTENT`` pixels.

    Args:
        y: (N, C, S, S), standardised patches; the C patches of a row share their kernel.
        noise: (N, 1, 1, 1), of what in y is noise, the standard deviation of pixel differences.

    Returns:
        (N, 1, 64, 64), sum 1.
    """
    kernel = torch.zeros(len(y), 1, 8, 8, device=y.device)
    kernel[..., 4, 3:6] = 1 / 3
    for step in range(_SCALES - 1, -1, -1):
        scale = _RATIO**step
        side = 2 * round(y.shape[-1] * scale / 2)
        reduced = y if step == 0 else F.interpolate(y, size=(side, side), mode="bicubic", antialias=True)
        spread = reduced.std((-3, -2, -1), keepdim=True) + 1e-6
        size = 2 * round(EXTENT * scale / 2) + 4
        if step < _SCALES - 1:
            kernel = _enlarged(kernel, 1 / _RATIO, size)
        level = (_LEVEL**2 + (noise * scale / spread).square()).sqrt()
        kernel = ascend(reduced / spread, kernel, levels=[level], rounds=_ROUNDS, kernel_steps=10)
        kernel = centred_exactly(without_specks(kernel, _SPECKS))
    margin = (KERNEL_SIZE - kernel.shape[-1]) // 2
    return F.pad(kernel, (margin, margin, margin, margin))


def _enlarged(kernel: torch.Tensor, factor: float, size: int) -> torch.Tensor:
    """Kernels stretched about their origins, on a canvas of another size: (N, 1, size, size), sum 1."""
    before = kernel.shape[-1]
    place = (torch.arange(size, device=kernel.device) - size // 2) / factor
    place = (2 * (place + before // 2) + 1) / before - 1
    grid = torch.stack([place[None].expand(size, -1), place[:, None].expand(-1, size)], dim=-1)
    return normalise(F.grid_sample(kernel, grid.expand(len(kernel), -1, -1, -1), align_corners=False))
