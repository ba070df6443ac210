"""Layers that the networks share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn


def groups(channels: int) -> int:
    """Group-norm groups: 16 channels each, the most that divides."""
    return math.gcd(channels, max(1, channels // 16))


def group_norm(channels: int) -> nn.Module:
    """Statistics over groups of channels and all places: of the map as a whole."""
    return nn.GroupNorm(groups(channels), channels)


class PixelNorm(nn.Module):
    """Layer norm over the channels at every place by itself, so that a part of a map is as in the whole."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias)
        return last.permute(0, 3, 1, 2)


Norm = Callable[[int], nn.Module]


class ResBlock(nn.Module):
    """Two 3x3 convolutions around a skip; the time embedding scales and shifts the second norm."""

    def __init__(self, channels_in: int, channels: int, embedding: int = 0, norm: Norm = group_norm):
        super().__init__()
        self.norm1 = norm(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.norm2 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()
        self.modulate = nn.Linear(embedding, 2 * channels) if embedding else None
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None = None) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h)
        if self.modulate is not None and embedding is not None:
            scale, shift = self.modulate(embedding)[..., None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class Attention(nn.Module):
    """Self-attention over all places of a map."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups(channels), channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        parts = self.qkv(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, h * w).transpose(-1, -2)
        y = F.scaled_dot_product_attention(parts[:, 0], parts[:, 1], parts[:, 2])
        return x + self.out(y.transpose(-1, -2).reshape(n, c, h, w))


class UNet(nn.Module):
    """A U-Net of residual blocks over feature maps (N, widths[0], H, W) -> the same shape.

    Args:
        widths: channels at each level, the finest first; each level halves the size.
        blocks: residual blocks a level on the way down; one a level on the way up.
        embedding: width of a time embedding that modulates every block, or 0.
        attention: how many of the coarsest levels attend to themselves.
        norm: of the residual blocks, made for a number of channels.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        blocks: int = 1,
        embedding: int = 0,
        attention: int = 0,
        norm: Norm = group_norm,
    ):
        super().__init__()
        self.down, self.reduce = nn.ModuleList(), nn.ModuleList()
        self.up, self.expand, self.attend = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            attends = level >= len(widths) - attention
            self.down.append(nn.ModuleList(ResBlock(width, width, embedding, norm) for _ in range(blocks)))
            self.attend.append(Attention(width) if attends else nn.Identity())
            joined = 2 * width if level < len(widths) - 1 else width
            self.up.append(ResBlock(joined, width, embedding, norm))
            if level < len(widths) - 1:
                self.reduce.append(nn.Conv2d(width, widths[level + 1], 2, stride=2))
                self.expand.append(nn.ConvTranspose2d(widths[level + 1], width, 2, stride=2))

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None = None) -> torch.Tensor:
        kept = []
        for level, blocks in enumerate(self.down):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, embedding)
            x = self.attend[level](x)
            if level < len(self.reduce):
                kept.append(x)
                x = self.reduce[level](x)
        for level in reversed(range(len(self.down))):
            if level < len(self.reduce):
                x = torch.cat([self.expand[level](x), kept[level]], dim=1)
            x = self.up[level](x, embedding)
        return x


def time_embedding(t: torch.Tensor, width: int) -> torch.Tensor:
    """Sinusoidal embedding of a time in [0, 1]: (N,) -> (N, width)."""
    frequencies = torch.exp(torch.linspace(0, math.log(1000.0), width // 2, device=t.device))
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
