"""Blocks of the published U-Net, which are guided-diffusion's (Dhariwal and Nichol 2021), with its names."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

_GROUPS = 32


class ResBlock(nn.Module):
    """Two 3x3 convolutions around a skip; the time embedding is added between them."""

    def __init__(self, channels_in: int, channels: int, embedding: int):
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(_GROUPS, channels_in), nn.SiLU(), nn.Conv2d(channels_in, channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(_GROUPS, channels),
            nn.SiLU(),
            nn.Identity(),  # a dropout of probability 0 that the names count
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.skip_connection = (
            nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()
        )

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        h = self.in_layers(x) + self.emb_layers(embedding)[..., None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    """Self-attention over all places of a map, with one head."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = x.flatten(2)
        q, k, v = self.qkv(self.norm(places)).transpose(1, 2).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return (places + self.proj_out(mixed.transpose(1, 2))).reshape(x.shape)


class Downsample(nn.Module):
    """To half the size, by a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.op(x)


class Upsample(nn.Module):
    """To twice the size, by repetition and a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Stage(nn.Sequential):
    """Blocks in a row; residual ones are told the time."""

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        for block in self:
            x = block(x, embedding) if isinstance(block, ResBlock) else block(x)
        return x


def time_embedding(t: torch.Tensor, width: int) -> torch.Tensor:
    """Cosines, then sines, of integer times (N,) at frequencies from 1 down to nearly 1/10000: (N, width)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000) / half * torch.arange(half, device=t.device))
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)
