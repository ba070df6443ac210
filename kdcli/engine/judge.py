"""How far an estimated kernel can be trusted: what the judge says of it, and whether the looks agree."""

from __future__ import annotations

import torch

from kdcli.engine.guidance import Guide
from kdcli.nets.estimator import luminance
from kdcli.nets.judge import evidence


def evidence_of(guide: Guide, restored: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """What the judge sees of a guide's patches, restored with kernels (N, 1, 64, 64) near by.

    Args:
        restored: (N, 3, H, W), by ``guide.near(kernel)``.

    Returns:
        (N, 5, H', W'), see ``kdcli.nets.judge.evidence``.
    """
    left = luminance(guide.residual(restored, kernel))
    return evidence(luminance(guide.y), luminance(restored), left, guide.noise)
