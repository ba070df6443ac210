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
The gradients across and down are the real and the imaginary part of one image: Fourier transforms, which
take most of the time, are those of both at once.
Photos of cameras are softer than that prior has it, g = crop(k * s * f) + n with a Gaussian s of their own;
without it, s becomes a part of k. It is a local search, which sharpens kernels that are roughly right.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdcli.blur.convolve import crop_lags, gaussian_otf, otf, power_of
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
    square = torch.as_tensor(level, dtype=y.dtype, device=y.device).square().reshape(-1, 1, 1, 1, 1)
    model = _Model(kernel, size, softness)
    mean, variance = _first(model, g)
    mean, variance = _expect(model, g, mean, variance, square)
    for _ in range(rounds):
        model = _Model(kernel, size, softness)
        mean, variance = _expect(model, g, mean, variance, square)
        kernel = _maximise(model, g, mean * model.soft, variance, kernel)
    return kernel


class _Model(UnknownBorder):
    """Of gradients, which are complex images: their spectra are whole ones (N, C, H, W).

    Args:
        kernel: (N, 1, K, K).
        size: (H, W) of the gradients.
        softness: as in ``ascend``.
    """

    def __init__(self, kernel: torch.Tensor, size: tuple[int, int], softness: float):
        super().__init__(kernel, size)
        self.soft = gaussian_otf(kernel.new_tensor([softness]), self.canvas, whole=True)
        self.otf, self.conjugate = self.otf * self.soft, self.conjugate * self.soft

    def spectrum(self, kernel: torch.Tensor) -> torch.Tensor:
        return otf(kernel, self.canvas, whole=True)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft2(x)

    def image(self, spectrum: torch.Tensor) -> torch.Tensor:
        return torch.fft.ifft2(spectrum)

    def mean(
        self,
        g: torch.Tensor,
        start: torch.Tensor,
        prior: Callable[[torch.Tensor], torch.Tensor],
        average: torch.Tensor | float,
    ) -> torch.Tensor:
        """The spectrum of the mean of the sharp gradients, so many steps from another.

        Args:
            prior: what the prior adds to the normal equations, as a function of a spectrum.
            average: of its strength, (N, 1, 1, 1) or one for all.
        """
        inverse = 1 / (power_of(self.otf) + average)

        def apply(u: torch.Tensor) -> torch.Tensor:
            return self.normal(u).add_(prior(u))

        return solve(apply, self.adjoint(g), start, inverse, _IMAGE_STEPS, _dot)


def _gradients(y: torch.Tensor) -> torch.Tensor:
    """Differences to the right, and i times those downwards: (N, C, H - 1, W - 1), complex."""
    across = y[..., :-1, 1:] - y[..., :-1, :-1]
    down = y[..., 1:, :-1] - y[..., :-1, :-1]
    return torch.complex(across, down)


def _first(model: _Model, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A first mean (its spectrum) and variance of the sharp gradients, under a Gaussian prior."""
    start = model.transform(model.extend(g))
    mean = model.mean(g, start, lambda u: _FIRST_PRIOR * u, _FIRST_PRIOR)
    variance = torch.view_as_real(g).square().mean((1, 2, 3, 4), keepdim=True)
    return mean, variance.clamp(min=1e-8)


def _expect(
    model: _Model,
    g: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    square: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The spectrum of the sharp gradients' mean, and their variances on the canvas, from those so far.

    Args:
        variance: (N, C, H, W, 2), of real and imaginary parts, or one for all, (N, 1, 1, 1, 1).
        square: of the level, (N or 1, 1, 1, 1, 1).
    """
    prior = square / (torch.view_as_real(model.image(mean)).square() + variance)

    def weighted(u: torch.Tensor) -> torch.Tensor:
        image = model.image(u)
        torch.view_as_real(image).mul_(prior)
        return model.transform(image)

    average = prior.log().mean((1, 2, 3, 4), keepdim=True).exp()[..., 0]
    mean = model.mean(g, mean, weighted, average)
    seen = model.transform(model.embed(torch.ones_like(g[:, :1])))
    diagonal = model.image(seen * model.spectrum(model.kernel.square()).conj()).real.clamp(min=0)
    return mean, square / (diagonal[..., None] + prior)


def _maximise(
    model: _Model,
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
    spread = model.crop(variance.sum(-1)).sum((1, 2, 3), keepdim=True)

    def lags(correlation: torch.Tensor, most: int = size) -> torch.Tensor:
        # The imaginary part is the correlation of gradients across with such downwards.
        return crop_lags(model.image(correlation.sum(1, keepdim=True)).real, most)

    def curvature(k: torch.Tensor) -> torch.Tensor:
        seen = model.crop(model.image(mean * model.spectrum(k)))
        return lags(model.transform(model.embed(seen)) * mean.conj()) + spread * k

    right = lags(model.transform(model.embed(g)) * mean.conj())
    # On the whole canvas the curvature is a convolution with the autocorrelation of the mean, and larger.
    whole = otf(lags(power_of(mean), 2 * size), (2 * size, 2 * size))
    step = 1 / (largest_eigenvalue(lambda k: _within(k, whole), kernel) + spread)
    return accelerated(kernel, lambda k: onto_simplex(k - step * (curvature(k) - right)), _KERNEL_STEPS)


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The product of complex images, real and imaginary parts by themselves, from spectra: (N, C, 1, 1)."""
    return (torch.view_as_real(a) * torch.view_as_real(b)).sum((-3, -2, -1))[..., None, None]


def _within(kernel: torch.Tensor, transfer: torch.Tensor) -> torch.Tensor:
    """A kernel (N, 1, K, K) filtered on a canvas of twice its size, the K x K window of the outcome."""
    size = kernel.shape[-1]
    spectrum = torch.fft.rfft2(kernel, s=(2 * size, 2 * size))
    return torch.fft.irfft2(spectrum * transfer, s=(2 * size, 2 * size))[..., :size, :size]
