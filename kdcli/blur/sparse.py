"""Restoration under a sparse prior of the gradients, with an unknown border, at any noise level.

    x = argmin || w (crop(k * x) - y) ||^2 + strength (|d_x x|^p + |d_y x|^p),   p = 0.5

The hyper-Laplacian prior of photos (Levin et al., "Image and depth from a conventional camera with a
coded aperture", 2007), by iteratively reweighted least squares: each round a weighted quadratic prior and
a few conjugate-gradient steps. The channels share their weights, since their edges are in one place.
"""

from __future__ import annotations

import torch

from kdcli.blur.deconvolve import UnknownBorder, conjugate_gradients, laplacian_spectrum, solve

_POWER = 0.5
_SOFTENING = 0.01  # gradients below it count as noise


def restore_sparse(
    y: torch.Tensor,
    kernel: torch.Tensor,
    *,
    strength: torch.Tensor,
    rounds: int,
    steps: int,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """The restoration of photos on the canvas of ``UnknownBorder``.

    Args:
        y: (N, C, H, W) in [0, 1].
        kernel: (N, 1, K, K), sum 1.
        strength: (N, 1, 1, 1) of the prior. The weaker, the more steps it takes.
        rounds: of new weights.
        steps: of conjugate gradients in each of them.
        weight: (N, 1 or C, H, W), trust in each pixel.
    """
    model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]), weight)
    x = conjugate_gradients(y, kernel, strength=10 * strength, steps=min(20, 2 * steps), weight=weight)
    right = model.adjoint(y)
    laplacian = laplacian_spectrum(model.canvas, y.device)
    for _ in range(rounds):
        weights = [strength * _weight(_difference(x, dim)) for dim in (-1, -2)]

        def apply(u: torch.Tensor, weights: list[torch.Tensor] = weights) -> torch.Tensor:
            v = model.image(u)
            prior = [_adjoint(w * _difference(v, dim), dim) for w, dim in zip(weights, (-1, -2), strict=True)]
            return model.normal(u) + model.transform(prior[0] + prior[1])

        mean = sum(w.mean((-2, -1), keepdim=True) for w in weights) / 2
        inverse = 1 / (model.otf.abs().square() + mean * laplacian + 1e-4)
        x = model.image(solve(apply, right, model.transform(x), inverse, steps))
    return x


def _weight(gradient: torch.Tensor) -> torch.Tensor:
    """Of a squared gradient in the quadratic that stands for the prior: (N, 1, H, W)."""
    energy = gradient.square().mean(1, keepdim=True) + _SOFTENING**2
    return _POWER / 2 * energy ** (_POWER / 2 - 1)


def _difference(x: torch.Tensor, dim: int) -> torch.Tensor:
    return x.roll(-1, dim) - x


def _adjoint(g: torch.Tensor, dim: int) -> torch.Tensor:
    return g.roll(1, dim) - g
