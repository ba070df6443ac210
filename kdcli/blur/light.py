"""Light as a sensor counts it, and as files encode it (sRGB, IEC 61966-2-1)."""

from __future__ import annotations

import torch

_LINEAR_BELOW = 0.0031308  # of the light; 12.92 times that, encoded


def to_linear(encoded: torch.Tensor) -> torch.Tensor:
    """Light in [0, 1] from encoded values in [0, 1], of any shape."""
    low = encoded <= 12.92 * _LINEAR_BELOW
    return torch.where(low, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_encoded(light: torch.Tensor) -> torch.Tensor:
    """The inverse of ``to_linear``."""
    low = light <= _LINEAR_BELOW
    return torch.where(low, 12.92 * light, 1.055 * light.clamp(min=_LINEAR_BELOW) ** (1 / 2.4) - 0.055)
