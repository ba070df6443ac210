"""Noise schedules of the diffusion and the exact conversions between its targets.

k_t = sqrt(a_t) k_0 + sqrt(1 - a_t) eps, with a_t the cumulative product of 1 - beta (Ho et al. 2020);
v = sqrt(a_t) eps - sqrt(1 - a_t) k_0 (Salimans and Ho 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

STEPS = 1000


@dataclass(frozen=True)
class Schedule:
    """The cumulative signal power of a diffusion.

    Attributes:
        signal: (STEPS,) float64, a_t for t = 0 (least noise) .. STEPS - 1 (all noise).
    """

    signal: torch.Tensor

    def at(self, t: torch.Tensor) -> torch.Tensor:
        """a_t of integer times (N,): (N, 1, 1, 1) float32."""
        return self.signal.to(t.device)[t].float()[:, None, None, None]

    def noised(self, k0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """k_t from k_0 and eps (eq. 2 of Ho et al.)."""
        a = self.at(t)
        return a.sqrt() * k0 + (1 - a).sqrt() * noise

    def noise_from_k0(self, k_t: torch.Tensor, k0: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps from k_t and a prediction of k_0."""
        a = self.at(t)
        return (k_t - a.sqrt() * k0) / (1 - a).sqrt()

    def k0_from_noise(self, k_t: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """k_0 from k_t and a prediction of eps (the paper's eq. 19)."""
        a = self.at(t)
        return (k_t - (1 - a).sqrt() * noise) / a.sqrt()

    def times(self, steps: int) -> list[int]:
        """Times to visit in a reverse diffusion of so many steps, from STEPS - 1 down, evenly spaced."""
        if steps == 1:
            return [STEPS - 1]
        return [round(i) for i in torch.linspace(STEPS - 1, 0, steps, dtype=torch.float64).tolist()]


def make_schedule(name: Literal["linear", "cosine"] = "linear") -> Schedule:
    """``linear``: beta from 1e-4 to 0.02, as in the paper; ``cosine``: Nichol and Dhariwal 2021."""
    if name == "linear":
        beta = torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64)
        return Schedule(torch.cumprod(1 - beta, dim=0))
    if name == "cosine":
        t = torch.linspace(0, 1, STEPS + 1, dtype=torch.float64)
        curve = torch.cos((t + 0.008) / 1.008 * math.pi / 2).square()
        beta = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
        return Schedule(torch.cumprod(1 - beta, dim=0))
    raise ValueError(f"unknown schedule {name!r}: choose linear or cosine")
