"""What a photo's power spectrum says about its blur, before anything is restored.

A sharp photo's spectrum falls like 1 / f^2, so its gradients g have a known spectrum S up to a scale c,
and those of the blurred photo the spectrum P = c S |k|^2 + noise. Each frequency of the periodogram I is
then nearly an exponential variable of mean P, and the kernel's negative log-likelihood is Whittle's:

    L(k) = mean[ log P + I / P ]

It knows |k| and no phase. Against reblurring losses it has the merit that no sharp image takes part, so
that no image can be made up to suit a wrong kernel (docs/experiments.md has the measurement).
"""

from __future__ import annotations

import torch

from kdcli.blur.convolve import crop_lags, otf, power_of
from kdcli.blur.deconvolve import laplacian_spectrum

_BAND = 0.47  # cycles a pixel: beyond it resampling and rounding decide
_LOWEST = 0.02  # of the gradient filter's power: below it the window's leakage decides


class SpectralLikelihood:
    """Whittle's likelihood of kernels, for the windowed gradients of photos.

    Args:
        g: (N, 2, H, W), the gradients (central differences) under a window.
    """

    def __init__(self, g: torch.Tensor):
        self.size = (g.shape[-2], g.shape[-1])
        rows = torch.fft.fftfreq(self.size[0], device=g.device)[:, None]
        columns = torch.fft.rfftfreq(self.size[1], device=g.device)[None]
        filtered = torch.sin(2 * torch.pi * rows).square() + torch.sin(2 * torch.pi * columns).square()
        self.band = ((filtered > _LOWEST) & (rows.abs() < _BAND) & (columns < _BAND)).float()
        self.share = self.band * torch.where((columns > 0) & (columns < 0.5), 2.0, 1.0)  # of the whole plane
        self.shape = filtered / (laplacian_spectrum(self.size, g.device) + 1e-3)
        self.periodogram = power_of(torch.fft.rfft2(g)).sum(1, keepdim=True)
        # An exponential variable's lowest tenth ends at 0.105 of its mean: the floor under all frequencies.
        inside = (self.periodogram / filtered.clamp(min=1e-6))[..., self.band > 0]
        floor = torch.quantile(inside, 0.1, dim=-1)[..., None, None] / 0.105
        self.noise = floor * filtered + 1e-4 * self._mean(self.periodogram)

    def _mean(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.band).sum((-2, -1), keepdim=True) / self.band.sum()

    def model(self, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The expected spectrum P (N, 1, H, W // 2 + 1) of a kernel (N, 1, K, K), and c S k."""
        k_hat = otf(kernel, self.size)
        power = self.shape * power_of(k_hat)
        signal = (self._mean(self.periodogram) - self._mean(self.noise)).clamp(min=1e-12)
        scale = signal / self._mean(power).clamp(min=1e-12)
        return scale * power + self.noise, scale * self.shape * k_hat

    def loss(self, kernel: torch.Tensor) -> torch.Tensor:
        """L(k): (N,), lower is likelier; comparable between kernels of the same photo."""
        expected, _ = self.model(kernel)
        terms = expected.log() + self.periodogram / expected
        return ((terms * self.share).sum((-2, -1)) / self.share.sum())[:, 0]

    def descent(self, kernel: torch.Tensor) -> torch.Tensor:
        """Minus the gradient of L at a kernel, the scale c held: (N, 1, K, K) up to a factor."""
        expected, filtered = self.model(kernel)
        weight = self.band * (self.periodogram / expected - 1) / expected
        return self._lags(weight * filtered, kernel.shape[-1])

    def cepstrum(self, lags: int) -> torch.Tensor:
        """F^-1[ log(I / (c S + noise)) ] at the lags (N, 1, lags, lags): blur shows as dark ghosts of it."""
        expected = self.shape * self._mean(self.periodogram) / self._mean(self.shape) + self.noise
        ratio = (self.periodogram + 0.1 * self.noise) / expected.clamp(min=1e-12)  # 0 / 0 without edges
        return self._lags((self.band * ratio.clamp(min=1e-9).log()).to(torch.complex64), lags)

    def _lags(self, spectrum: torch.Tensor, lags: int) -> torch.Tensor:
        return crop_lags(torch.fft.irfft2(spectrum, s=self.size), lags)
