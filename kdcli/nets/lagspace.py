"""From two images to the kernel between them: a pixel of the kernel is a shift, not a place.

The quotient of two spectra is the classical least-squares estimate of the kernel that turns one image
into the other, made a differentiable layer (cf. Cho and Lee, "Fast motion deblurring", 2009, eq. 6).
"""

from __future__ import annotations

import torch

from kdcli.blur.convolve import crop_lags, power_of


def gradients(x: torch.Tensor) -> torch.Tensor:
    """Circular central differences of an image (N, 1, H, W): (N, 2, H, W), along x and y."""
    dx = (x.roll(-1, -1) - x.roll(1, -1)) / 2
    dy = (x.roll(-1, -2) - x.roll(1, -2)) / 2
    return torch.cat([dx, dy], dim=1)


def taper(size: tuple[int, int], margin: int, device: torch.device | None = None) -> torch.Tensor:
    """A window (H, W) in [0, 1] that falls to 0 at the border over ``margin`` pixels (raised cosine)."""
    sides = []
    for length in size:
        place = torch.arange(length, device=device) + 0.5
        edge = torch.minimum(place, length - place) / margin
        sides.append(0.5 - 0.5 * torch.cos(torch.pi * edge.clamp(max=1)))
    return sides[0][:, None] * sides[1]


def standardise(maps: torch.Tensor) -> torch.Tensor:
    """Each map to zero mean and unit variance."""
    mean = maps.mean((-2, -1), keepdim=True)
    spread = maps.var((-2, -1), keepdim=True, unbiased=False)
    return (maps - mean) * torch.rsqrt(spread + 1e-12)


def quotients(f: torch.Tensor, g: torch.Tensor, regular: torch.Tensor, lags: int) -> torch.Tensor:
    """Regularised least-squares kernels from pairs of gradient maps, per direction and jointly.

    q = F^-1[ conj(f) g / (|f|^2 + regular mean|f|^2) ], the sums over the directions taken for the joint.

    Args:
        f: (N, P, 2, H, W): P guesses of the sharp image's x- and y-gradients.
        g: (N, 2, H, W): the blurred image's gradients.
        regular: (P, 4): of the x-, the y- and the two joint quotients.

    Returns:
        (N, 4 P, lags, lags), standardised.
    """
    n, pairs, _, h, w = f.shape
    f_hat, g_hat = torch.fft.rfft2(f), torch.fft.rfft2(g)[:, None]
    cross, power = f_hat.conj() * g_hat, power_of(f_hat)
    cross = torch.cat([cross, cross.sum(2, keepdim=True).expand(-1, -1, 2, -1, -1)], dim=2)
    power = torch.cat([power, power.sum(2, keepdim=True).expand(-1, -1, 2, -1, -1)], dim=2)
    floor = regular[None, :, :, None, None] * power.mean((-2, -1), keepdim=True) + 1e-12
    q = torch.fft.irfft2(cross * (1 / (power + floor)), s=(h, w)).reshape(n, 4 * pairs, h, w)
    return standardise(crop_lags(q, lags))


def whitened_autocorrelation(g: torch.Tensor, lags: int) -> torch.Tensor:
    """F^-1[ |g|^2 / sqrt(|g|^2 + 0.05 mean|g|^2) ] of gradients (N, 2, H, W): (N, 2, lags, lags).

    A sharp image's gradients are nearly white, so what is left of the spectrum is the kernel's.
    """
    power = power_of(torch.fft.rfft2(g))
    white = power * torch.rsqrt(power + 0.05 * power.mean((-2, -1), keepdim=True) + 1e-12)
    maps = crop_lags(torch.fft.irfft2(white, s=g.shape[-2:]), lags)
    return standardise(without_centre(maps))


def without_centre(maps: torch.Tensor) -> torch.Tensor:
    """Lag maps whose peak at lag zero, which says nothing about the kernel, gives way to its neighbours."""
    centre = maps.shape[-1] // 2
    maps = maps.clone()
    maps[..., centre, centre] = (maps[..., centre, centre - 1] + maps[..., centre, centre + 1]) / 2
    return maps
