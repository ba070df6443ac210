"""The learned prior: a network that makes an image of a photo and two restorations of it.

A U-Net over blocks of 4x4 pixels says where to trust which restoration; a finer network, over blocks of 2x2,
goes over what comes of that with the U-Net's features at hand, and mends what is smaller than its blocks.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.nets.blocks import PixelNorm, ResBlock, UNet
from kdcli.nets.parts import Progress, in_parts
from kdcli.nets.precision import mixed_precision

_SHUFFLE, _FINE = 4, 2  # sides of the blocks of pixels that either network takes for one
ALIGNED = 4 * _SHUFFLE  # the coarsest pixel
_VIEW = 10 * ALIGNED  # pixels on every side on which the answer for one depends, no more
_PART = 1536  # side of the parts in which the networks go over larger photos, which bounds the memory
_FLAGS = 3  # maps that say how the kernel is known, how noisy the photo is, which turn this is
_SURE = 3.0  # the most that the logarithm of a strength is changed by


class LearnedPrior(nn.Module):
    """What a photo most likely looked like, and how sure that is, at every place.

    Args:
        widths: of the U-Net's levels, as in ``UNet``.
    """

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        fine = 2 * widths[0] // 3  # channels
        self.head = nn.Conv2d(9 * _SHUFFLE**2 + _FLAGS, widths[0], 3, padding=1)
        self.body = UNet(widths, blocks=1, norm=PixelNorm)
        self.tail = nn.Conv2d(widths[0], 7 * _SHUFFLE**2, 3, padding=1)
        features = widths[0] * _FINE**2 // _SHUFFLE**2
        self.fine = nn.Sequential(
            nn.Conv2d(9 * _FINE**2 + features, fine, 3, padding=1),
            ResBlock(fine, fine, norm=PixelNorm),
            ResBlock(fine, fine, norm=PixelNorm),
            nn.Conv2d(fine, 4 * _FINE**2, 3, padding=1),
        )
        for last in (self.tail, self.fine[-1]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(
        self,
        y: torch.Tensor,
        faithful: torch.Tensor,
        smooth: torch.Tensor,
        flags: torch.Tensor,
        progress: Progress,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of photos, a faithful and a smooth restoration.

        Args:
            y, faithful, smooth: (N, 3, H, W).
            flags: (N, 3, 1, 1): how far the kernel is known, the logarithm of the noise in multiples of that
                of rounding, which turn this is (0 or 1).
            progress: called with the fraction that is done.

        Returns:
            An image (N, 3, H, W), and how sure the network is of it, from -3 to 3: (N, 1, H, W).
        """
        return in_parts(  # type: ignore[return-value]
            partial(self._part, flags), (y, faithful, smooth), side=_PART, view=_VIEW, progress=progress
        )

    def _part(
        self, flags: torch.Tensor, y: torch.Tensor, faithful: torch.Tensor, smooth: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One part of it."""
        height, width = y.shape[-2:]
        y, faithful, smooth = (_filled(image) for image in (y, faithful, smooth))
        x = _blocks([y, faithful, smooth], _SHUFFLE)
        x = torch.cat([x, flags.expand(-1, -1, *x.shape[-2:])], dim=1)
        with mixed_precision(y.device):
            features = self.body(self.head(x.contiguous(memory_format=torch.channels_last)))
            maps = self.tail(features)
        gate, correction, sure = F.pixel_shuffle(maps, _SHUFFLE).float().split([3, 3, 1], dim=1)
        # A known kernel deserves the faithful image, an estimated one half of it, until the gate says else.
        image = smooth + ((1 + flags[:, :1]) / 2 + torch.tanh(gate)) * (faithful - smooth) + correction

        x = _blocks([y, faithful, image], _FINE)
        with mixed_precision(y.device):
            x = torch.cat([x, F.pixel_shuffle(features, _SHUFFLE // _FINE)], dim=1)
            maps = self.fine(x.contiguous(memory_format=torch.channels_last))
        correction, surer = F.pixel_shuffle(maps, _FINE).float().split([3, 1], dim=1)
        sure = _SURE * torch.tanh((sure + surer) / _SURE)
        return (image + correction)[..., :height, :width], sure[..., :height, :width]


def _filled(image: torch.Tensor) -> torch.Tensor:
    """Continued to whole coarsest pixels, below and to the right."""
    return F.pad(image, (0, -image.shape[-1] % ALIGNED, 0, -image.shape[-2] % ALIGNED), mode="replicate")


def _blocks(images: list[torch.Tensor], side: int) -> torch.Tensor:
    """Images (N, 3, H, W) as maps of blocks of pixels, around zero and not far from it."""
    return F.pixel_unshuffle(torch.cat(images, dim=1).clamp(-0.5, 1.5) - 0.5, side)
