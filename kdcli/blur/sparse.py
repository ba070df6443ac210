"""Restoration under a sparse prior of the gradients, with an unknown border, at any noise level.

    x = argmin || w (crop(k * x) - y) ||^2 + strength (|d_x x|^p + |d_y x|^p),   p = 0.5

The hyper-Laplacian prior of photos (Levin et al., "Image and depth from a conventional camera with a
coded aperture", 2007), by iteratively reweighted least squares: each round a weighted quadratic prior and
a few conjugate-gradient steps. The channels share their weights, since their edges are in one place.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.convolve import power_of
from kdcli.blur.deconvolve import UnknownBorder, conjugate_gradients, laplacian_spectrum, solve

_POWER = 0.5
_SOFTENING = 0.01  # gradients below it count as noise


def restore_sparse(
    y: torch.Tensor,
    model: UnknownBorder,
    *,
    strength: torch.Tensor,
    rounds: int,
    steps: int,
    progress: Callable[[float], None] = lambda _fraction: None,
) -> torch.Tensor:
    """The restoration of photos on the canvas of ``UnknownBorder``.

    Args:
        y: (N, C, H, W) in [0, 1].
        model: of these photos.
        strength: (N, 1, 1, 1) of the prior. The weaker, the more steps it takes.
        rounds: of new weights.
        steps: of conjugate gradients in each of them.
        progress: called with the fraction of the rounds that is done.
    """
    x = conjugate_gradients(y, model, strength=10 * strength, steps=min(20, 2 * steps))
    for done in range(rounds):
        progress((done + 1) / (rounds + 1))
        x = _reweighted(model, y, x, strength, steps)
    return x


def _reweighted(
    model: UnknownBorder, y: torch.Tensor, x: torch.Tensor, strength: torch.Tensor, steps: int
) -> torch.Tensor:
    """One round: the canvas image after so many steps, from one whose gradients say the weights."""
    weights = [strength * _weight(_difference(x, dim)) for dim in (-1, -2)]
    mean = sum(w.mean((-2, -1), keepdim=True) for w in weights) / 2
    laplacian = laplacian_spectrum(model.canvas, y.device)
    inverse = 1 / (power_of(model.otf) + mean * laplacian + 1e-4)

    def solved(model: UnknownBorder, part: slice) -> torch.Tensor:
        def apply(u: torch.Tensor) -> torch.Tensor:
            v = model.image(u)
            prior = [_adjoint(w * _difference(v, dim), dim) for w, dim in zip(weights, (-1, -2), strict=True)]
            return model.normal(u) + model.transform(prior[0] + prior[1])

        start, right = model.transform(x[:, part]), model.adjoint(y[:, part])
        return model.image(solve(apply, right, start, inverse, steps))

    return model.by_channel(solved, y.shape[1])


def _weight(gradient: torch.Tensor) -> torch.Tensor:
    """Of a squared gradient in the quadratic that stands for the prior: (N, 1, H, W)."""
    energy = gradient.square().mean(1, keepdim=True) + _SOFTENING**2
    return _POWER / 2 * energy ** (_POWER / 2 - 1)


def _difference(x: torch.Tensor, dim: int) -> torch.Tensor:
    return x.roll(-1, dim).sub_(x)


def _adjoint(g: torch.Tensor, dim: int) -> torch.Tensor:
    return g.roll(1, dim).sub_(g)
