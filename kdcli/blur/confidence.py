"""How far an estimated kernel can be trusted, told from the kernel itself.

The network's answer is a posterior mean: where the photo leaves several kernels possible, their average is
smeared. A path that is drawn thinly, given how far it reaches, was seen clearly.
"""

from __future__ import annotations

import torch

from kdcli.blur.kernels import KERNEL_SIZE, centre_of_mass

UNCERTAIN = 0.6
"""Confidence below which a user should be told."""

_SHARP = 0.6  # likeness (MNC) to no blur at all, from which on there is nothing to restore
# Least squares on the MNC of 36 held-out pairs with all kinds of kernels, noise and JPEG: rank correlation
# 0.81 (each pair left out in turn), error 0.09 (root mean square). See docs/experiments.md.
_NORM, _RADIUS, _CONSTANT = 0.440, 0.151, 1.501


def confidence(kernel: torch.Tensor) -> torch.Tensor:
    """The similarity (MNC) to the true kernel that can be expected of an estimate, in [0, 1].

    Args:
        kernel: (..., 64, 64) of sum 1.

    Returns:
        (...).
    """
    norm = kernel.square().sum((-2, -1)).sqrt().clamp(min=1e-6)
    row, column = (centre[..., None, None] for centre in centre_of_mass(kernel))
    places = torch.arange(KERNEL_SIZE, device=kernel.device)
    squares = (places[:, None] - row) ** 2 + (places - column) ** 2
    radius = (kernel * squares).sum((-2, -1)).sqrt().clamp(min=0.5)
    return (_CONSTANT + _NORM * norm.log() + _RADIUS * radius.log()).clamp(0, 1)


def is_no_blur(kernel: torch.Tensor) -> bool:
    """Whether a kernel (64, 64) says that the photo is sharp already."""
    return float(kernel.max() / kernel.square().sum().sqrt()) > _SHARP
