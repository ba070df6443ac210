"""The judge: how like the true kernel an estimate is, told by what it makes of the photo.

A wrong kernel leaves marks in the restored photo that no measure of the kernel alone knows and that looks
which are wrong together don't show: edges that come twice, ringing, texture along the path. A small network
reads the photo, the restored one and what that, blurred again, leaves of the photo, beside the kernel.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.blur.noise import ROUNDING
from kdcli.nets.blocks import ResBlock
from kdcli.nets.precision import mixed_precision

_MAPS = 5  # of the evidence
_SHUFFLE = 2
COARSEST = 16
"""The judge looks at images whose sides are multiples of so many pixels."""
_FARTHEST = 0.03  # unlikeness below which kernels are taken for equally good


def evidence(
    y: torch.Tensor, restored: torch.Tensor, left: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """What the judge sees of photos.

    Args:
        y: (N, 1, H, W), luminance of the photos.
        restored: (N, 1, H, W), that of the restored ones.
        left: (N, 1, H, W), what these, blurred again, leave of the photos; 0 where that isn't known.
        noise: (N, 1, 1, 1), its standard deviation.

    Returns:
        (N, 5, H', W'), the sides cut to multiples of 16 pixels.
    """
    sides = [slice(0, side - side % COARSEST) for side in y.shape[-2:]]
    y, restored, left = (image[..., sides[0], sides[1]] for image in (y, restored, left))
    mean = y.mean((-2, -1), keepdim=True)
    contrast = y.std((-2, -1), keepdim=True).clamp(min=1e-3)
    loudness = (noise / ROUNDING).log() / 2
    return torch.cat(
        [
            (y - mean) / contrast,
            (restored - mean).clamp(-1.5, 1.5) / contrast,
            1.5 * torch.tanh(left / (3 * noise)),
            torch.tanh(20 * left / contrast),
            loudness.expand_as(y),
        ],
        dim=1,
    )


class _Pyramid(nn.Module):
    """Residual blocks, each at half the size of the last: (N, C, H, W) to (N, widths[-1], h, w)."""

    def __init__(self, channels: int, widths: tuple[int, ...]):
        super().__init__()
        self.head = nn.Conv2d(channels * _SHUFFLE**2, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(width, width) for width in widths)
        self.reduce = nn.ModuleList(
            nn.Conv2d(width, coarser, 2, stride=2) for width, coarser in pairwise(widths)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(F.pixel_unshuffle(x, _SHUFFLE).contiguous(memory_format=torch.channels_last))
        x = self.blocks[0](x)
        for reduce, block in zip(self.reduce, self.blocks[1:], strict=True):
            x = block(reduce(x))
        return x


class Judge(nn.Module):
    """Reads evidence and kernel; all places of the photo vote, as they are and at their most telling.

    Args:
        photo, kernel: channels of either pyramid's levels, the finest first.
    """

    def __init__(self, photo: tuple[int, ...] = (32, 48, 64, 96), kernel: tuple[int, ...] = (16, 32, 64)):
        super().__init__()
        width = kernel[-1]
        self.photo = _Pyramid(_MAPS, photo)
        self.kernel = _Pyramid(1, kernel)
        self.embed = nn.Linear(2 * kernel[-1], width)
        self.modulate = nn.Linear(width, 2 * photo[-1])
        self.last = ResBlock(photo[-1], photo[-1])
        self.hidden = nn.Linear(2 * photo[-1] + width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, seen: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """How close kernels are, on the scale of ``closeness``: (N,).

        Args:
            seen: (N, 5, H, W), ``evidence``.
            kernel: (N, 1, 64, 64), sum 1.
        """
        shape = 2 * kernel / kernel.amax((-2, -1), keepdim=True).clamp(min=1e-20)
        with mixed_precision(kernel.device):
            embedded = self.embed(_pooled(self.kernel(shape)))
            maps = self.photo(seen)
            scale, shift = self.modulate(F.silu(embedded))[..., None, None].chunk(2, dim=1)
            maps = self.last(maps * (1 + scale) + shift)
            found = self.hidden(torch.cat([_pooled(F.silu(maps)), embedded], dim=1))
        answer: torch.Tensor = self.out(F.silu(found.float()))
        return answer.flatten()

    def likeness(self, seen: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """The similarity (MNC) to the true kernels that can be expected: (N,), in [0, 1]."""
        return (1 + _FARTHEST - torch.exp(-self(seen, kernel))).clamp(0, 1)


def closeness(likeness: torch.Tensor) -> torch.Tensor:
    """A scale for similarities (MNC) on which 0.9 and 0.95 are as far apart as 0.6 and 0.8."""
    return -torch.log(1 + _FARTHEST - likeness)


def _pooled(maps: torch.Tensor) -> torch.Tensor:
    """Mean and largest of each channel: (N, C, H, W) to (N, 2 C)."""
    return torch.cat([maps.mean((-2, -1)), maps.amax((-2, -1))], dim=1)
