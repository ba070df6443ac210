"""Least squares under constraints, by projected gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch


def accelerated(
    start: torch.Tensor, step: Callable[[torch.Tensor], torch.Tensor], count: int
) -> torch.Tensor:
    """So many steps of FISTA (Beck and Teboulle 2009).

    Args:
        step: a gradient step, no longer than the curvature allows, and the projection.
    """
    now, ahead, momentum = start, start, 1.0
    for _ in range(count):
        before, now = now, step(ahead)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = now + (momentum - 1) / following * (now - before)
        momentum = following
    return now


def largest_eigenvalue(
    apply: Callable[[torch.Tensor], torch.Tensor], like: torch.Tensor, steps: int = 5
) -> torch.Tensor:
    """Of a positive operator on (N, ...), by power iteration from white noise, a tenth added: (N, 1, ...).

    The noise is one for all N, so that what is found does not depend on a place in the batch.
    """
    v = torch.randn((1, *like.shape[1:]), generator=torch.Generator().manual_seed(0)).to(like)
    dims = tuple(range(1, v.ndim))
    for _ in range(steps):
        v = apply(v / v.square().sum(dims, keepdim=True).sqrt().clamp(min=1e-20))
    return 1.1 * v.square().sum(dims, keepdim=True).sqrt()


def onto_simplex(k: torch.Tensor) -> torch.Tensor:
    """The nearest kernels (N, 1, K, K) that are non-negative and sum to 1 (Held et al. 1974)."""
    ordered = k.flatten(1).sort(1, descending=True).values
    threshold = (ordered.cumsum(1) - 1) / torch.arange(1, ordered.shape[1] + 1, device=k.device)
    last = (ordered > threshold).sum(1, keepdim=True) - 1
    return (k - threshold.gather(1, last)[..., None, None]).clamp(min=0)
