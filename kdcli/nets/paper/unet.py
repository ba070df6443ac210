"""Kernel-Diff's U-Net: p(k | y) over 64x64 kernels, given 256x256 photos.

Two encoders of the same layers, one for the noisy kernel (enlarged by 4 to the photo's size) and one for
the photo; their features are concatenated level by level for one middle and one decoder. Both encoders
are told the time, so that the photo's has to run at every step. The published configuration asks for
attention at a sixteenth of the size, which its four levels do not reach: only the middle attends.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.nets.paper.blocks import Attention, Downsample, ResBlock, Stage, Upsample, time_embedding
from kdcli.nets.schedule import make_schedule

CHANNELS = 32  # of either encoder at the whole size
MULTIPLES = (1, 2, 4, 8)  # of these channels, a level each
ENLARGEMENT = 4  # of the kernel, to the photo's size


class Encoder(nn.Module):
    """(N, C, H, W) and times -> the features of every block, the finest first, and the time embedding."""

    def __init__(self, channels_in: int):
        super().__init__()
        embedding = 4 * CHANNELS
        self.time_embed = nn.Sequential(
            nn.Linear(CHANNELS, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        width = CHANNELS
        stages = [Stage(nn.Conv2d(channels_in, width, 3, padding=1))]
        for level, multiple in enumerate(MULTIPLES):
            stages.append(Stage(ResBlock(width, multiple * CHANNELS, embedding)))
            width = multiple * CHANNELS
            if level < len(MULTIPLES) - 1:
                stages.append(Stage(Downsample(width)))
        self.input_blocks = nn.ModuleList(stages)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        embedding = self.time_embed(time_embedding(t, CHANNELS))
        features = []
        for stage in self.input_blocks:
            x = stage(x, embedding)
            features.append(x)
        return features, embedding


class Middle(nn.Module):
    """Two residual blocks around attention, at the coarsest level."""

    def __init__(self, channels: int, embedding: int):
        super().__init__()
        self.middle_block = Stage(
            ResBlock(channels, channels, embedding),
            Attention(channels),
            ResBlock(channels, channels, embedding),
        )

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        return self.middle_block(x, embedding)


class Decoder(nn.Module):
    """Two residual blocks a level, each with one of the encoders' features; then the mean down to 64x64."""

    def __init__(self, channels: int, embedding: int):
        super().__init__()
        # What the encoders hand over: a map after the first convolution, and one after every block.
        kept = [channels]
        for level, multiple in enumerate(MULTIPLES):
            kept += [multiple * channels] * (2 if level < len(MULTIPLES) - 1 else 1)
        width = MULTIPLES[-1] * channels
        stages = []
        for level in reversed(range(len(MULTIPLES))):
            for last in (False, True):
                block = ResBlock(width + kept.pop(), MULTIPLES[level] * channels, embedding)
                width = MULTIPLES[level] * channels
                stages.append(Stage(block, Upsample(width)) if last and level > 0 else Stage(block))
        self.output_blocks = nn.ModuleList(stages)
        self.out = nn.Sequential(
            nn.GroupNorm(32, width),
            nn.SiLU(),
            nn.Conv2d(width, 1, 3, padding=1),
            nn.AdaptiveAvgPool2d(KERNEL_SIZE),
        )

    def forward(self, x: torch.Tensor, features: list[torch.Tensor], embedding: torch.Tensor) -> torch.Tensor:
        for stage, feature in zip(self.output_blocks, reversed(features), strict=True):
            x = stage(torch.cat([x, feature], dim=1), embedding)
        return self.out(x)


class KernelUNet(nn.Module):
    """The noise in a kernel, from that kernel, the photo and the time."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder_kernel = Encoder(1)
        self.encoder_image = Encoder(3)
        self.middle_unet = Middle(2 * MULTIPLES[-1] * CHANNELS, 8 * CHANNELS)
        self.decoder = Decoder(2 * CHANNELS, 8 * CHANNELS)
        self.schedule = make_schedule("linear")  # which it was trained with

    def forward(self, k_t: torch.Tensor, y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """The predicted noise (N, 1, 64, 64).

        Args:
            k_t: (N, 1, 64, 64).
            y: (N, 3, 256, 256) in [-1, 1].
            t: (N,), integers from 0 to 999.
        """
        enlarged = F.interpolate(k_t, scale_factor=ENLARGEMENT, mode="bilinear")
        of_kernel, kernel_embedding = self.encoder_kernel(enlarged, t)
        of_photo, photo_embedding = self.encoder_image(y, t)
        features = [torch.cat(both, dim=1) for both in zip(of_kernel, of_photo, strict=True)]
        embedding = torch.cat([kernel_embedding, photo_embedding], dim=1)
        return self.decoder(self.middle_unet(features[-1], embedding), features, embedding)

    @staticmethod
    def condition(patches: torch.Tensor) -> torch.Tensor:
        """What `denoise` needs to know about patches (N, 3, 256, 256) in [0, 1]: themselves, in [-1, 1]."""
        return 2 * patches - 1

    def denoise(self, k_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """k_0, (N, 1, 64, 64) in diffusion units, from k_t and integer times (N,); not clamped (eq. 19)."""
        return self.schedule.k0_from_noise(k_t, self(k_t, condition, t), t)
