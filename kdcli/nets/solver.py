"""The non-blind solver F(y, k): least squares with an unknown border, then a learned prior.

Plays the part of the deep Wiener network (DWDN, Dong et al. 2020) in the paper: there feature maps are
deconvolved in the Fourier domain, which fails at the border; here conjugate gradients on the
unknown-border model deconvolve the photo itself at two strengths, and a network that also sees the
blurred photo makes the image of them. Trained on true and on estimated kernels, it learns what a wrong
kernel's ringing looks like and falls back on the blurred photo where nothing else can be trusted.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.blur.deconvolve import UnknownBorder, conjugate_gradients
from kdcli.nets.blocks import UNet
from kdcli.nets.precision import mixed_precision

WEAK, STRONG = 3e-4, 1e-2  # gradient priors of the two restorations
WEAK_STEPS, STRONG_STEPS = 20, 6
_SHUFFLE = 4


class Solver(nn.Module):
    """F(y, k), differentiable in y and k."""

    def __init__(self, widths: tuple[int, ...] = (80, 128, 192)):
        super().__init__()
        self.head = nn.Conv2d(9 * _SHUFFLE**2 + 1, widths[0], 3, padding=1)
        self.body = UNet(widths, blocks=1)
        self.tail = nn.Conv2d(widths[0], 6 * _SHUFFLE**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(
        self,
        y: torch.Tensor,
        kernel: torch.Tensor,
        exact: torch.Tensor | bool = False,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Restore photos.

        Args:
            y: (N, 3, H, W) in [0, 1], any size of at least 16.
            kernel: (N, 1, 64, 64), sum 1.
            exact: (N,) or one for all, whether the kernel is known rather than estimated.
            weight: (N, 1, H, W) or None, trust in each pixel; clipped highlights have none.

        Returns:
            (N, 3, H, W).
        """
        weak, strong = self.deconvolve(y, kernel, weight)
        return self.refine(y, weak, strong, exact)

    @staticmethod
    def deconvolve(
        y: torch.Tensor, kernel: torch.Tensor, weight: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The least-squares restorations under the weak and the strong prior, (N, C, H, W) each."""
        model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]), weight)
        strong = conjugate_gradients(y, kernel, strength=STRONG, steps=STRONG_STEPS, weight=weight)
        weak = conjugate_gradients(y, kernel, strength=WEAK, steps=WEAK_STEPS, weight=weight, start=strong)
        return model.crop(weak), model.crop(strong)

    def refine(
        self, y: torch.Tensor, weak: torch.Tensor, strong: torch.Tensor, exact: torch.Tensor | bool = False
    ) -> torch.Tensor:
        """The learned prior: an image (N, 3, H, W) from the photo and its two restorations."""
        height, width = y.shape[-2:]
        images = torch.cat([y, weak.clamp(-0.5, 1.5), strong.clamp(-0.5, 1.5)], dim=1)
        images = F.pad(images, (0, -width % 16, 0, -height % 16), mode="replicate")
        x = F.pixel_unshuffle(images - 0.5, _SHUFFLE)
        known = torch.as_tensor(exact, dtype=y.dtype, device=y.device).expand(len(y))[:, None, None, None]
        x = torch.cat([x, known.expand(-1, 1, *x.shape[-2:])], dim=1)
        x = x.contiguous(memory_format=torch.channels_last)
        with mixed_precision(y.device):
            x = self.tail(self.body(self.head(x)))
        gate, correction = F.pixel_shuffle(x, _SHUFFLE).float().chunk(2, dim=1)
        gate, correction = gate[..., :height, :width], correction[..., :height, :width]
        # An exact kernel deserves the weak prior, an estimated one the strong, until the gate says else.
        return strong + (known + torch.tanh(gate)) * (weak - strong) + correction
