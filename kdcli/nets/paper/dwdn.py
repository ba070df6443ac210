"""DWDN, the deep Wiener deconvolution network (Dong, Roth and Schiele, NeurIPS 2020), as Kernel-Diff uses it.

Sixteen feature maps of the photo are deconvolved by Wiener's filter, and a network restores the photo from
them, first at half the scale and then at the whole. Kernel-Diff lets it take kernels of even size, on
65x65 pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.blur.convolve import otf, power_of

_KERNEL = 65  # pixels: the maps are continued so far before they are deconvolved
_MULTIPLE = 8  # of which the sides must be: two scales, and two halvings at either


class Unit(nn.Module):
    """A convolution or its transpose, and perhaps a ReLU."""

    def __init__(self, layer: nn.Module, active: bool = False):
        super().__init__()
        self.body = nn.Sequential(layer, nn.ReLU()) if active else nn.Sequential(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class Residual(nn.Module):
    """Two convolutions around a skip."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(_conv(channels, channels), nn.ReLU(), _conv(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class DWDN(nn.Module):
    """F(y, k), differentiable in k.

    Args:
        features: maps that are deconvolved.
        width: channels of the restoring network at the whole size of either scale.
    """

    def __init__(self, features: int = 16, width: int = 32):
        super().__init__()
        self.FeatureBlock = nn.Sequential(_conv(3, features, active=True), *_residuals(features))
        self.inBlock1 = nn.Sequential(_conv(features, width, active=True), *_residuals(width))
        self.inBlock2 = nn.Sequential(_conv(features + width, width, active=True), *_residuals(width))
        self.encoder_first = nn.Sequential(
            _conv(width, 2 * width, stride=2, active=True), *_residuals(2 * width)
        )
        self.encoder_second = nn.Sequential(
            _conv(2 * width, 4 * width, stride=2, active=True), *_residuals(4 * width)
        )
        self.decoder_second = nn.Sequential(*_residuals(4 * width), _enlarge(4 * width, 2 * width))
        self.decoder_first = nn.Sequential(*_residuals(2 * width), _enlarge(2 * width, width))
        self.outBlock = nn.Sequential(*_residuals(width))
        self.outBlock2 = nn.Sequential(_conv(width, 3))

    def forward(self, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """Restore photos.

        Args:
            y: (N, 3, H, W) in [0, 1]; published for sides that 8 divides, and continued to such ones here.
            kernel: (N, 1, 64, 64), sum 1.

        Returns:
            (N, 3, H, W).
        """
        height, width = y.shape[-2:]
        y = F.pad(y, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE), mode="replicate")
        clear = wiener(self.FeatureBlock(y), kernel)
        x = self._refined(self.inBlock1(F.interpolate(clear, scale_factor=0.5, mode="bilinear")))
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        x = self._refined(self.inBlock2(torch.cat([clear, x], dim=1)))
        return self.outBlock2(x)[..., :height, :width]

    def _refined(self, x: torch.Tensor) -> torch.Tensor:
        """The network of either scale: an encoder and decoder with skips that are added."""
        half = self.encoder_first(x)
        deep = self.decoder_second(self.encoder_second(half))
        return self.outBlock(self.decoder_first(deep + half) + x)


def wiener(maps: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Wiener's filter on every map by itself (eqs. 3 and 8 of DWDN's paper).

    F^-1[ conj(k^) m^ / (|k^|^2 + noise-to-signal) ] of the maps, continued by their border values.

    Args:
        maps: (N, C, H, W).
        kernel: (N, 1, 64, 64).

    Returns:
        (N, C, H, W).
    """
    margin = _KERNEL
    maps = F.pad(maps, (margin,) * 4, mode="replicate")
    size = (maps.shape[-2], maps.shape[-1])
    k = otf(kernel, size)
    spectrum = torch.fft.rfft2(maps) * k.conj() / (power_of(k) + noise_to_signal(maps))
    return torch.fft.irfft2(spectrum, s=size)[..., margin:-margin, margin:-margin]


@torch.no_grad()
def noise_to_signal(maps: torch.Tensor) -> torch.Tensor:
    """How noisy maps (N, C, H, W) are, (N, C, 1, 1): what a 3x3 median filter removes, by what there is.

    As the authors' code has it: the variance of the one by the *standard deviation* of the other, times
    0.8 / 3, and both with H * H pixels however wide the maps are.
    """
    noise = median_filter(maps) - maps
    return _variance(noise) / _variance(maps).sqrt() * (0.8 / 3)


def median_filter(maps: torch.Tensor) -> torch.Tensor:
    """The median of the 3x3 pixels around every one of (N, C, H, W), mirrored at the border.

    Columns are sorted first: the median of nine is that of the largest of the lowest, the median of the
    middle and the smallest of the highest.
    """
    x = F.pad(maps, (1, 1, 1, 1), mode="reflect")
    a, b, c = (x[..., i : i + maps.shape[-2], :] for i in range(3))
    low, middle, high = a.minimum(b).minimum(c), _median(a, b, c), a.maximum(b).maximum(c)
    (l1, l2, l3), (m1, m2, m3), (h1, h2, h3) = (
        [part[..., i : i + maps.shape[-1]] for i in range(3)] for part in (low, middle, high)
    )
    return _median(l1.maximum(l2).maximum(l3), _median(m1, m2, m3), h1.minimum(h2).minimum(h3))


def _median(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return a.minimum(b).maximum(a.maximum(b).minimum(c))


def _variance(maps: torch.Tensor) -> torch.Tensor:
    count = maps.shape[-2] ** 2
    mean = maps.sum((-2, -1), keepdim=True) / count
    return (maps - mean).square().sum((-2, -1), keepdim=True) / (count - 1)


def _conv(channels_in: int, channels: int, stride: int = 1, active: bool = False) -> Unit:
    return Unit(nn.Conv2d(channels_in, channels, 5, stride=stride, padding=2), active)


def _residuals(channels: int) -> list[Residual]:
    return [Residual(channels) for _ in range(3)]


def _enlarge(channels_in: int, channels: int) -> Unit:
    return Unit(nn.ConvTranspose2d(channels_in, channels, 3, 2, padding=1, output_padding=1), active=True)
