"""Convolution of images with blur kernels through the FFT.

Convention (everywhere in kd): kernels are (..., K, K) with even K, non-negative, of sum 1, and pixel
(K/2, K/2) is the origin; convolution is true convolution, so the kernel is flipped:

    y[i] = sum_j k[j] x[i - (j - K/2)]

Everything here is differentiable in the image and in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

Border = Literal["reflect", "circular", "valid"]


def otf(kernel: torch.Tensor, size: tuple[int, int], *, whole: bool = False) -> torch.Tensor:
    """Optical transfer function: the spectrum of a kernel laid on a canvas, origin at (0, 0).

    Args:
        kernel: (..., K, K).
        size: (H, W) of the canvas, each at least K.
        whole: the whole spectrum, for complex images; else the half of it that real ones need.

    Returns:
        (..., H, W // 2 + 1) or (..., H, W), complex.
    """
    for dim, length in zip((-2, -1), size, strict=True):
        before, after = kernel.chunk(2, dim)
        between = list(kernel.shape)
        between[dim] = length - kernel.shape[dim]
        kernel = torch.cat([after, kernel.new_zeros(between), before], dim)
    return (torch.fft.fft2 if whole else torch.fft.rfft2)(kernel)


def power_of(spectrum: torch.Tensor) -> torch.Tensor:
    """The squared modulus, real, of the shape of the spectrum; ``abs`` would take a root first."""
    return torch.view_as_real(spectrum).square().sum(-1)


def crop_lags(maps: torch.Tensor, lags: int) -> torch.Tensor:
    """The window (..., lags, lags) of shifts around zero of canvases (..., H, W); zero in its middle."""
    for dim in (-2, -1):
        after = maps.narrow(dim, 0, lags // 2)
        before = maps.narrow(dim, maps.shape[dim] - lags // 2, lags // 2)
        maps = torch.cat([before, after], dim)
    return maps


def gaussian_otf(width: torch.Tensor, size: tuple[int, int], *, whole: bool = False) -> torch.Tensor:
    """The spectra of Gaussians of standard deviation (N,) pixels and sum 1; as in ``otf``, but real."""
    down = torch.fft.fftfreq(size[0], device=width.device)[:, None]
    across = (torch.fft.fftfreq if whole else torch.fft.rfftfreq)(size[1], device=width.device)
    return torch.exp(-2 * (torch.pi * width[:, None, None, None]) ** 2 * (down**2 + across**2))


def convolve(image: torch.Tensor, kernel: torch.Tensor, border: Border = "reflect") -> torch.Tensor:
    """Blur an image: y = k * x.

    Args:
        image: (N, C, H, W).
        kernel: (N or 1, 1, K, K), one a sample, shared by the channels.
        border: what lies outside the image. ``reflect`` mirrors it about the centres of its edge
            pixels, ``circular`` repeats it, ``valid`` assumes nothing and returns
            only the pixels that are known, (H - K + 1, W - K + 1).

    Returns:
        (N, C, H, W), or the smaller ``valid`` size.
    """
    height, width = image.shape[-2:]
    k = kernel.shape[-1]
    if border == "reflect":
        image = pad_reflect(image, k // 2)
    size = (image.shape[-2], image.shape[-1])
    if size[0] < k or size[1] < k:
        raise ValueError(f"the image {size} is smaller than the kernel {k}x{k}")
    full = torch.fft.irfft2(torch.fft.rfft2(image) * otf(kernel, size), s=size)
    if border == "reflect":
        return full[..., k // 2 : k // 2 + height, k // 2 : k // 2 + width]
    if border == "valid":
        # Row i is free of wrap-around from K - 1 - K/2 on, counted from the canvas origin.
        first = k - 1 - k // 2
        return full[..., first : first + height - k + 1, first : first + width - k + 1]
    return full


def filter_mirrored(
    image: torch.Tensor, transfer: Callable[[tuple[int, int]], torch.Tensor], margin: int
) -> torch.Tensor:
    """Filter images (N, C, H, W) that are mirrored outwards, so that nothing comes in from the other side.

    Args:
        transfer: gives the half spectrum of the filter (N or 1, 1, H, W // 2 + 1) for a size (H, W).
        margin: pixels of the mirror image, no less than the filter reaches.
    """
    wide = pad_reflect(image, margin)
    size = (wide.shape[-2], wide.shape[-1])
    filtered = torch.fft.irfft2(torch.fft.rfft2(wide) * transfer(size), s=size)
    return filtered[..., margin:-margin, margin:-margin]


def pad_reflect(image: torch.Tensor, margin: int) -> torch.Tensor:
    """Mirror an image (..., H, W) about the centres of its edge pixels, as often as it takes."""
    for dim in (-2, -1):
        last = image.shape[dim] - 1
        index = torch.arange(-margin, last + 1 + margin, device=image.device)
        index = (index + last) % max(2 * last, 1) - last  # a triangle wave: -last .. last
        image = image.index_select(dim, index.abs())
    return image
