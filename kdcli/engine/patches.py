"""Which 256x256 parts of a photo tell the most about its blur."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.convolve import pad_reflect
from kdcli.nets.estimator import luminance
from kdcli.nets.lagspace import gradients

PATCH = 256
_STRIDE = 32
_CLIPPED = 0.99
_FLAT = 0.6 / 255  # root mean square of the gradients below which there are no edges to speak of


def informative_patches(photo: torch.Tensor, count: int) -> torch.Tensor:
    """Cut out the patches with the strongest gradients in the most directions and few clipped pixels.

    The measure of a patch is the smaller eigenvalue of its structure tensor, that is the gradient power
    in its poorest direction.

    Args:
        photo: (1, C, H, W) in [0, 1]; a side below 256 is mirrored up to it.
        count: at most so many; patches overlap by half at most.

    Returns:
        (N, C, 256, 256), 1 <= N <= count, the best first.
    """
    short = max(PATCH - photo.shape[-2], PATCH - photo.shape[-1], 0)
    if short:
        photo = pad_reflect(photo, (short + 1) // 2)
    measure = _measure(luminance(photo))
    patches: list[torch.Tensor] = []
    for _ in range(count):
        best = int(measure.argmax())
        row, column = divmod(best, measure.shape[1])
        if patches and measure[row, column] <= 0:
            break
        top = min(row * _STRIDE, photo.shape[-2] - PATCH)
        left = min(column * _STRIDE, photo.shape[-1] - PATCH)
        patches.append(photo[..., top : top + PATCH, left : left + PATCH])
        near = PATCH // 2 // _STRIDE
        measure[max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1] = 0
    return torch.cat(patches)


def is_flat(photo: torch.Tensor) -> bool:
    """Whether a photo (1, C, H, W) has no edges that a kernel could be estimated from."""
    return float(gradients(luminance(photo))[..., 1:-1, 1:-1].square().mean().sqrt()) < _FLAT


def _measure(y: torch.Tensor) -> torch.Tensor:
    """The worth (rows, columns) of every patch on a grid of ``_STRIDE`` pixels."""
    g = gradients(y)
    inside = torch.zeros_like(y)
    inside[..., 1:-1, 1:-1] = 1
    trusted = (y < _CLIPPED).float() * inside
    gx, gy = g[:, :1] * trusted, g[:, 1:] * trusted
    tensor = torch.cat([gx * gx, gy * gy, gx * gy, trusted], dim=1)
    xx, yy, xy, share = F.avg_pool2d(tensor, PATCH, _STRIDE, ceil_mode=False)[0]
    smaller = (xx + yy) / 2 - ((xx - yy).square() / 4 + xy.square()).sqrt()
    return (smaller + 1e-3 * (xx + yy)).clamp(min=0) * share.square() + 1e-12
