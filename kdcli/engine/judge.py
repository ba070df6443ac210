"""How far an estimated kernel can be trusted, by what the judge says of it."""

from __future__ import annotations

import torch

from kdcli.engine.guidance import Guide
from kdcli.nets.estimator import luminance
from kdcli.nets.judge import Judge, evidence

UNCERTAIN = 0.82
"""Confidence below which a user should be told."""

# The judge has learned on kernels that were estimated in fewer turns than the engine's, and thinks a little
# too well of these: least squares on the MNC of 150 held-out pairs (docs/experiments.md).
_CONSTANT, _JUDGED = -0.17, 1.15


@torch.no_grad()
def confidence(judge: Judge, guide: Guide, restored: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """The similarity (MNC) to the true kernels that can be expected of estimates: (N,), in [0, 1].

    Args:
        guide: of patches.
        restored: (N, 3, H, W), these by ``guide.near(kernel)``.
        kernel: (N, 1, 64, 64), sum 1.
    """
    judged = judge.likeness(evidence_of(guide, restored, kernel), kernel)
    return (_CONSTANT + _JUDGED * judged).clamp(0, 1)


def evidence_of(guide: Guide, restored: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """What the judge sees of a guide's patches, restored with kernels (N, 1, 64, 64) near by.

    Args:
        restored: (N, 3, H, W), by ``guide.near(kernel)``.

    Returns:
        (N, 5, H', W'), see ``kdcli.nets.judge.evidence``.
    """
    left = luminance(guide.residual(restored, kernel))
    return evidence(luminance(guide.y), luminance(restored), left, guide.noise)
