"""What cameras and files do to an image besides the blur: softness, noise, clipping, JPEG, rounding.

Images are (N, C, H, W) float32 in [0, 1]; strengths are (N,), one a sample.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.convolve import filter_mirrored, gaussian_otf

_MARGIN = 6  # pixels that a soft photo depends on

# Luminance quantisation table of the JPEG standard (ITU-T T.81, table K.1).
_JPEG_TABLE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)


def soften(image: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """What lenses and demosaicking make of every photo: a Gaussian of standard deviation (N,) pixels."""
    return filter_mirrored(image, lambda size: gaussian_otf(width, size), _MARGIN)


def add_noise(
    image: torch.Tensor, level: torch.Tensor, generator: torch.Generator, grain: torch.Tensor | None = None
) -> torch.Tensor:
    """Half shot noise, half read noise: at a signal of 1/2 the standard deviation is ``level``.

    Args:
        grain: (N,), the standard deviation in pixels of the Gaussian through which the noise has gone, as
            that of photos has by demosaicking and resizing; white by default.
    """
    level = level[:, None, None, None]
    variance = level.square() * (0.5 + image.clamp(0, 1))
    noise = torch.randn(image.shape, generator=generator, device=image.device)
    if grain is not None:
        size = (noise.shape[-2], noise.shape[-1])
        coarse = torch.fft.irfft2(torch.fft.rfft2(noise) * gaussian_otf(grain, size), s=size)
        noise = coarse / coarse.std((1, 2, 3), keepdim=True)
    return image + variance.sqrt() * noise


def to_8_bit(image: torch.Tensor) -> torch.Tensor:
    """Clip to [0, 1] and round to 256 levels."""
    return (image.clamp(0, 1) * 255).round() / 255


def _dct(device: torch.device) -> torch.Tensor:
    """The orthonormal 8-point DCT-II matrix, rows are frequencies."""
    place = torch.arange(8, device=device, dtype=torch.float32)
    matrix = torch.cos(torch.pi / 8 * (place[None] + 0.5) * place[:, None]) / 2
    matrix[0] /= 2**0.5
    return matrix


def jpeg(image: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """JPEG's blocks and quantisation, on the device and without the file.

    Colour images pass through YCbCr with chroma at half size, as cameras write them.

    Args:
        image: (N, 1 or 3, H, W).
        quality: (N,), 1 to 100; above 100 leaves the sample alone.
    """
    height, width = image.shape[-2:]
    padded = F.pad(image, (0, -width % 16, 0, -height % 16), mode="replicate")
    if image.shape[1] == 1:
        coded = _quantise(padded, quality)
    else:
        r, g, b = padded.unbind(1)
        luma = 0.299 * r + 0.587 * g + 0.114 * b
        chroma = torch.stack([(b - luma) * 0.564, (r - luma) * 0.713], dim=1) + 0.5
        luma = _quantise(luma[:, None], quality)[:, 0]
        small = _quantise(F.avg_pool2d(chroma, 2), quality)
        cb, cr = (F.interpolate(small, scale_factor=2, mode="bilinear") - 0.5).unbind(1)
        r, b = luma + cr / 0.713, luma + cb / 0.564
        coded = torch.stack([r, (luma - 0.299 * r - 0.114 * b) / 0.587, b], dim=1)
    untouched = (quality > 100)[:, None, None, None]
    return torch.where(untouched, image, coded[..., :height, :width].clamp(0, 1))


def _quantise(plane: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    n, c, h, w = plane.shape
    quality = quality.clamp(1, 100)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = (_JPEG_TABLE.to(plane.device) * factor[:, None, None]).round().clamp(min=1) / 255
    table = table[:, None, None, :, None, :]
    matrix = _dct(plane.device)
    blocks = (plane - 0.5).reshape(n, c, h // 8, 8, w // 8, 8)
    spectrum = torch.einsum("ui,ncaibj,vj->ncaubv", matrix, blocks, matrix)
    spectrum = (spectrum / table).round() * table
    return torch.einsum("ui,ncaubv,vj->ncaibj", matrix, spectrum, matrix).reshape(n, c, h, w) + 0.5
