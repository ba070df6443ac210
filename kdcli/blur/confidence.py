"""How far an estimated kernel can be trusted.

A kernel that the network, shown the photo and that kernel, would not change much is more often right than one
that it would; and so is one on which several looks at the photo agree, one that is thin, and one with which
the solver explains the photo down to its noise.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import mnc
from kdcli.blur.softness import fatness

UNCERTAIN = 0.82
"""Confidence below which a user should be told."""

_SHARP = 0.6  # likeness (MNC) to no blur at all, from which on there is nothing to restore
# Least squares on the MNC of 64 held-out pairs; without looks and loss, of 56 others: docs/experiments.md.
_CONSTANT, _AGAIN, _AGREEMENT, _FAT, _UNEXPLAINED = -1.17, 1.43, 0.75, -0.086, -0.019
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


def confidence_of_looks(
    kernel: torch.Tensor, again: torch.Tensor, agreement: float, unexplained: torch.Tensor
) -> torch.Tensor:
    """The same of kernels that several looks were made into.

    Args:
        kernel: (N, 64, 64) of sum 1.
        again: (N, 64, 64), what the network makes of the photo and this kernel.
        agreement: the mean MNC of the looks with one of them.
        unexplained: (N,), the reblurring loss in multiples of the power of the photo's noise.

    Returns:
        (N,).
    """
    sure = _AGAIN * mnc(kernel, again) + _AGREEMENT * agreement
    doubt = _FAT * fatness(kernel[:, None]) + _UNEXPLAINED * unexplained.clamp(min=1e-3).log()
    return (_CONSTANT + sure + doubt).clamp(0, 1)


def is_no_blur(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) says that the photo is sharp already."""
    return float(kernel.max() / kernel.square().sum().sqrt()) > _SHARP
