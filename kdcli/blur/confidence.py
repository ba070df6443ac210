"""How far an estimated kernel can be trusted.

A kernel that the network, shown the photo and that kernel, would not change much is more often right than one
that it would; and so is one on which several looks at the photo agree.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import mnc

UNCERTAIN = 0.8
"""Confidence below which a user should be told."""

_SHARP = 0.6  # likeness (MNC) to no blur at all, from which on there is nothing to restore
# Least squares on the MNC of 56 held-out pairs, estimated by two versions: docs/experiments.md.
_CONSTANT, _AGAIN, _AGREEMENT = -1.46, 1.54, 0.89
_CONSTANT_ALONE, _AGAIN_ALONE = -2.16, 3.11


def confidence(kernel: torch.Tensor, again: torch.Tensor, agreement: float | None = None) -> torch.Tensor:
    """The similarity (MNC) to the true kernel that can be expected of an estimate, in [0, 1].

    Args:
        kernel: (..., 64, 64) of sum 1.
        again: (..., 64, 64), what the network makes of the photo and this kernel.
        agreement: the mean MNC of the looks of which the kernel was made with one of them; None for one look.

    Returns:
        (...).
    """
    likeness = mnc(kernel, again)
    if agreement is None:
        return (_CONSTANT_ALONE + _AGAIN_ALONE * likeness).clamp(0, 1)
    return (_CONSTANT + _AGAIN * likeness + _AGREEMENT * agreement).clamp(0, 1)


def is_no_blur(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) says that the photo is sharp already."""
    return float(kernel.max() / kernel.square().sum().sqrt()) > _SHARP
