"""How far an estimated kernel can be trusted.

A kernel on which several looks at the photo agree is more often right than another, and so is one that the
ascents after them did not change much. Of a single look, one that the network would not change if it saw it
beside the photo once more.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import mnc, smooth

UNCERTAIN = 0.85
"""Confidence below which a user should be told."""

_SHARP = 0.6  # likeness (MNC) to no blur at all, from which on there is nothing to restore
# Least squares on the MNC of 136 held-out pairs; of a single look, of 56 others: docs/experiments.md.
_CONSTANT, _AGREEMENT, _KEPT, _ENTROPY = -1.19, 0.82, 1.18, 0.022
_LEAST_ENTROPY = 2.0  # of the shortest paths among them; of no blur it would be 0, which is hardly uncertain
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


def confidence_of_looks(kernel: torch.Tensor, looked: torch.Tensor, agreement: float) -> torch.Tensor:
    """The same of kernels that several looks were made into.

    Args:
        kernel: (..., 64, 64) of sum 1.
        looked: (..., 64, 64), what the looks together said, before the ascents that made the kernel of it.
        agreement: the mean MNC of the looks with one of them.

    Returns:
        (...).
    """
    # The logarithm of how many pixels it covers, about: MNC, which moves by whole ones, is less for few.
    entropy = torch.special.entr(kernel).sum((-2, -1)).clamp(min=_LEAST_ENTROPY)
    kept = mnc(smooth(kernel), smooth(looked))
    return (_CONSTANT + _AGREEMENT * agreement + _KEPT * kept + _ENTROPY * entropy).clamp(0, 1)


def is_no_blur(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) says that the photo is sharp already."""
    return float(kernel.max() / kernel.square().sum().sqrt()) > _SHARP
