"""How far an estimated kernel can be trusted.

A kernel that the network, shown the photo and that kernel, would not change much is more often right than one
that it would; and so is one on which several looks at the photo agree. Looks at a short path agree sooner.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import mnc

UNCERTAIN = 0.82
"""Confidence below which a user should be told."""

_SHARP = 0.6  # likeness (MNC) to no blur at all, from which on there is nothing to restore
# Least squares on the MNC of 136 held-out pairs; without looks, of 56 others: docs/experiments.md.
_CONSTANT, _AGAIN, _AGREEMENT, _ENTROPY = -2.89, 3.26, 0.48, 0.026
_CONSTANT_ALONE, _AGAIN_ALONE = -2.16, 3.11


def confidence(kernel: torch.Tensor, again: torch.Tensor) -> torch.Tensor:
    """The similarity (MNC) to the true kernel that can be expected of an estimate, in [0, 1].

    Args:
        kernel: (..., 64, 64) of sum 1.
        again: (..., 64, 64), what the network makes of the photo and this kernel.

    Returns:
        (...).
    """
    return (_CONSTANT_ALONE + _AGAIN_ALONE * mnc(kernel, again)).clamp(0, 1)


def confidence_of_looks(kernel: torch.Tensor, again: torch.Tensor, agreement: float) -> torch.Tensor:
    """The same of kernels that several looks were made into.

    Args:
        kernel: (..., 64, 64) of sum 1.
        again: (..., 64, 64), what the network makes of the photo and this kernel.
        agreement: the mean MNC of the looks with one of them.

    Returns:
        (...).
    """
    entropy = torch.special.entr(kernel).sum((-2, -1))  # the logarithm of how many pixels it covers, about
    sure = _AGAIN * mnc(kernel, again) + _AGREEMENT * agreement + _ENTROPY * entropy
    return (_CONSTANT + sure).clamp(0, 1)


def is_no_blur(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) says that the photo is sharp already."""
    return float(kernel.max() / kernel.square().sum().sqrt()) > _SHARP
