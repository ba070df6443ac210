"""Kernels by marginal likelihood: expectation maximisation over the sharp image's gradients.

The gradients g of a blurred photo are those of the sharp one, f, blurred: g = crop(k * f) + n. To look for
the pair (k, f) that explains g best ends at no blur; the kernel that is likeliest once f is integrated out
does not (Levin et al., "Efficient marginal likelihood optimization in blind deconvolution", CVPR 2011).
With sparse f, a mixture of Gaussians that prefers no scale of gradients (the limit p = 0 of an L_p prior;
with p = 0.5 even the true kernel is lost after many rounds, docs/experiments.md; cf. Wipf and Zhang,
"Revisiting Bayesian blind deconvolution", JMLR 2014), a round is

    E:  f ~ N(mu, C):  (A_k' A_k + level^2 W) mu = A_k' g,  C = level^2 / diag(A_k' A_k + level^2 W)
    M:  k = argmin E || crop(k * f) - g ||^2 = argmin || crop(k * mu) - g ||^2 + sum(C) |k|^2

over k >= 0 of sum 1, where A_k is the unknown-border model of ``UnknownBorder`` and W = 1 / E[f^2].
Photos of cameras are softer than that prior has it, g = crop(k * s * f) + n with a Gaussian s of their own;
without it, s becomes a part of k. It is a local search, which sharpens kernels that are roughly right.
"""

from __future__ import annotations

import torch

from kdcli.blur.convolve import gaussian_otf, otf
from kdcli.blur.deconvolve import UnknownBorder, solve
from kdcli.blur.projected import accelerated, largest_eigenvalue, onto_simplex

_FIRST_PRIOR = 1e-2  # level^2 W of the first mean, a Gaussian one
_IMAGE_STEPS = 8  # of conjugate gradients, in every E
_KERNEL_STEPS = 5  # of accelerated projected gradients, in every M


@torch.no_grad()
def ascend(
    y: torch.Tensor,
    kernel: torch.Tensor,
    *,
    level: torch.Tensor | float,
    rounds: int = 2,
    softness: float = 0.0,
) -> torch.Tensor:
    """Make kernels likelier, given their photos.

    Args:
        y: (N, C, H, W), luminances, standardised; the C photos of a row share their kernel.
        kernel: (N, 1, K, K), sum 1, where to start.
        level: the standard deviation of what the model can't explain, noise and the kernel's own error, in
            the units of y; one for all or (N, 1, 1, 1).
        rounds: of expectation and maximisation.
        softness: of the sharp photo, the standard deviation of s in pixels.

    Returns:
        (N, 1, K, K), sum 1.
    """
    g = _gradients(y)
    size = (g.shape[-2], g.shape[-1])
    model = UnknownBorder(kernel, size)
    soft = gaussian_otf(kernel.new_tensor([softness]), model.canvas)
    model.otf = model.otf * soft
    mean, variance = _first(model, g)
    mean, variance = _expect(model, g, mean, variance, level)
    for _ in range(rounds):
        model = UnknownBorder(kernel, size)
        model.otf = model.otf * soft
        mean, variance = _expect(model, g, mean, variance, level)
        kernel = _maximise(model, g, mean * soft, variance, kernel)
    return kernel


def _gradients(y: torch.Tensor) -> torch.Tensor:
    """Differences to the right and downwards: (N, 2 C, H - 1, W - 1)."""
    across = y[..., :-1, 1:] - y[..., :-1, :-1]
    down = y[..., 1:, :-1] - y[..., :-1, :-1]
    return torch.cat([across, down], dim=1)


def _first(model: UnknownBorder, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A first mean (its spectrum) and variance of the sharp gradients, under a Gaussian prior."""
    prior = torch.full_like(g[:, :1, :1, :1], _FIRST_PRIOR)
    mean = solve(
        lambda u: model.normal(u) + prior * u,
        model.adjoint(g),
        model.transform(model.extend(g)),
        1 / (model.otf.abs().square() + prior),
        _IMAGE_STEPS,
    )
    return mean, g.square().mean((1, 2, 3), keepdim=True).clamp(min=1e-8)


def _expect(
    model: UnknownBorder,
    g: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    level: torch.Tensor | float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The spectrum of the sharp gradients' mean, and their variance on the canvas, from those so far."""
    energy = model.image(mean).square() + variance
    prior = level**2 / energy
    average = prior.log().mean((1, 2, 3), keepdim=True).exp()
    mean = solve(
        lambda u: model.normal(u) + model.transform(prior * model.image(u)),
        model.adjoint(g),
        mean,
        1 / (model.otf.abs().square() + average),
        _IMAGE_STEPS,
    )
    seen = model.transform(model.embed(torch.ones_like(g[:, :1])))
    squares = otf(model.kernel.square(), model.canvas).conj()
    diagonal = model.image(seen * squares).clamp(min=0)
    return mean, level**2 / (diagonal + prior)


def _maximise(
    model: UnknownBorder,
    g: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    kernel: torch.Tensor,
) -> torch.Tensor:
    """The kernel of least expected reblurring error.

    Args:
        mean: the spectrum of the mean of the sharp gradients, softened.
    """
    size = kernel.shape[-1]
    spread = model.crop(variance).sum((1, 2, 3), keepdim=True)

    def lags(correlation: torch.Tensor, most: int = size) -> torch.Tensor:
        maps = model.image(correlation.sum(1, keepdim=True))
        return maps.roll((most // 2, most // 2), (-2, -1))[..., :most, :most]

    def curvature(k: torch.Tensor) -> torch.Tensor:
        seen = model.crop(model.image(mean * otf(k, model.canvas)))
        return lags(model.transform(model.embed(seen)) * mean.conj()) + spread * k

    right = lags(model.transform(model.embed(g)) * mean.conj())
    # On the whole canvas the curvature is a convolution with the autocorrelation of the mean, and larger.
    whole = otf(lags(mean.abs().square(), 2 * size), (2 * size, 2 * size))
    step = 1 / (largest_eigenvalue(lambda k: _within(k, whole), kernel) + spread)
    return accelerated(kernel, lambda k: onto_simplex(k - step * (curvature(k) - right)), _KERNEL_STEPS)


def _within(kernel: torch.Tensor, transfer: torch.Tensor) -> torch.Tensor:
    """A kernel (N, 1, K, K) filtered on a canvas of twice its size, the K x K window of the outcome."""
    size = kernel.shape[-1]
    spectrum = torch.fft.rfft2(kernel, s=(2 * size, 2 * size))
    return torch.fft.irfft2(spectrum * transfer, s=(2 * size, 2 * size))[..., :size, :size]
