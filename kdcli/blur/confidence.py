"""How far an estimated kernel can be trusted.

A kernel that the network, shown the photo and that kernel, would not change much is more often right than one
that it would.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import mnc

UNCERTAIN = 0.75
"""Confidence below which a user should be told."""

_SHARP = 0.6  # likeness (MNC) to no blur at all, from which on there is nothing to restore
# Least squares on the MNC of 52 held-out pairs, all kinds of kernels, noise and JPEG: docs/experiments.md.
_CONSTANT, _SLOPE = -0.15, 1.09


def confidence(kernel: torch.Tensor, again: torch.Tensor) -> torch.Tensor:
    """The similarity (MNC) to the true kernel that can be expected of an estimate, in [0, 1].

    Args:
        kernel: (..., 64, 64) of sum 1.
        again: (..., 64, 64), what the network makes of the photo and this kernel.

    Returns:
        (...).
    """
    return (_CONSTANT + _SLOPE * mnc(kernel, again)).clamp(0, 1)


def is_no_blur(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) says that the photo is sharp already."""
    return float(kernel.max() / kernel.square().sum().sqrt()) > _SHARP
