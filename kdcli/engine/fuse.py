"""One kernel from the kernels of several patches."""

from __future__ import annotations

import torch

from kdcli.blur.kernels import mnc, move_onto, normalise

_AGREEMENT = 0.7  # of the best agreement; patches below it are left out


def fuse(kernels: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Align kernels, drop outliers and average.

    Args:
        kernels: (N, 1, 64, 64), the most trusted first.

    Returns:
        The kernel (1, 1, 64, 64), and the mean agreement (MNC) of all with the one most like the others.
    """
    n = len(kernels)
    if n == 1:
        return kernels, 1.0
    flat = kernels[:, 0]
    likeness = mnc(flat[:, None].expand(n, n, -1, -1), flat[None].expand(n, n, -1, -1))
    centre = int(likeness.sum(1).argmax())
    agreement = likeness[centre]
    others = agreement[torch.arange(n, device=agreement.device) != centre]
    kept = kernels[agreement >= _AGREEMENT * others.max()]
    aligned = normalise(move_onto(kernels[centre].expand(len(kept), -1, -1, -1), kept))
    return aligned.mean(0, keepdim=True), float(others.mean())
