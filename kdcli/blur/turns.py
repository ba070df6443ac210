"""Flips and quarter turns: a photo turned is blurred by its kernel turned."""

from __future__ import annotations

import torch

from kdcli.blur.kernels import normalise


def turn(image: torch.Tensor, which: int) -> torch.Tensor:
    """One of the eight flips and quarter turns of square images (..., S, S)."""
    image = image.flip(-1) if which >= 4 else image
    return image.rot90(which % 4, (-2, -1))


def turn_kernel(kernel: torch.Tensor, which: int) -> torch.Tensor:
    """The kernel (..., K, K) of an image turned, from that of the image; the origin stays put.

    The first row and column have no mirror image about the origin and are left out.
    """
    if which == 0:
        return kernel
    turned = torch.zeros_like(kernel)
    turned[..., 1:, 1:] = turn(kernel[..., 1:, 1:], which)
    return normalise(turned)


def turn_back(kernel: torch.Tensor, which: int) -> torch.Tensor:
    """The kernel (..., K, K) of an image, from that of the image turned."""
    return turn_kernel(kernel, which if which >= 4 else -which % 4)  # a flip undoes itself, turned or not


def turned(images: torch.Tensor, count: int) -> torch.Tensor:
    """Images (N, C, S, S) in the first so many flips and quarter turns, all N in each: (count N, C, S, S)."""
    return torch.cat([turn(images, which) for which in range(count)])


def turned_back(kernels: torch.Tensor, count: int) -> torch.Tensor:
    """The kernels (count N, 1, K, K) of images, from those of the images in so many flips and turns."""
    return torch.cat([turn_back(part, which) for which, part in enumerate(kernels.chunk(count))])
