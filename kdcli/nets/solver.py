"""The non-blind solver F(y, k): a sparse prior with an unknown border and a learned prior, in turns.

Plays the part of the deep Wiener network (DWDN, Dong et al. 2020) in the paper: there feature maps are
deconvolved in the Fourier domain, which fails at the border; here the unknown-border model deconvolves the
photo itself, once faithfully under a sparse prior and once smoothly by a few conjugate gradients, and a
network that also sees the blurred photo makes an image of them. Least squares then pull that image back to
what the photo says, and the same network, with the same weights, makes the last image of both
(plug-and-play as in DPIR, Zhang et al. 2021, unrolled and trained as one). Trained on true and on estimated
kernels, it learns what a wrong kernel's ringing looks like and falls back on the blurred photo where nothing
else can be trusted.

Nothing but the noise level is taken from the photo as a whole (the network's norms look at one place at a
time), so that tiles that overlap by ``REACH`` and begin at multiples of ``ALIGNED`` are restored like
the whole, nearly: what remains are the conjugate gradients, whose steps are those of the whole tile.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.blur.deconvolve import UnknownBorder, conjugate_gradients, pull_towards, unclipped
from kdcli.blur.noise import ROUNDING, noise_level
from kdcli.blur.sparse import restore_sparse
from kdcli.nets.blocks import PixelNorm, UNet
from kdcli.nets.precision import mixed_precision

# Strengths of the priors where rounding is all the noise: sparse, for estimated and known kernels; quadratic.
FAITHFUL, FAITHFUL_KNOWN, SMOOTH = 5e-5, 1e-5, 1e-2
ROUNDS, STEPS, SMOOTH_STEPS, PULL_STEPS = 3, 10, 6, 6
KNOWN_ROUNDS, KNOWN_STEPS = 6, 20  # a weaker prior takes more of them to say what the photo says
ESTIMATED = 0.8  # how far the kernels of the engine are taken to be known: docs/experiments.md
REACH = 96  # pixels beyond which next to nothing is seen of what a restoration depends on
_SHUFFLE = 4
ALIGNED = 4 * _SHUFFLE  # the network's coarsest pixel
_FLAGS = 3  # maps that say how the kernel is known, how noisy the photo is, which turn this is


class Solver(nn.Module):
    """F(y, k), differentiable in y and k."""

    def __init__(self, widths: tuple[int, ...] = (96, 160, 256)):
        super().__init__()
        self.head = nn.Conv2d(9 * _SHUFFLE**2 + _FLAGS, widths[0], 3, padding=1)
        self.body = UNet(widths, blocks=1, norm=PixelNorm)
        self.tail = nn.Conv2d(widths[0], 6 * _SHUFFLE**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]
        # The logarithm of the pull towards the first image: by itself, for a known kernel, for noise.
        self.pull = nn.Parameter(torch.tensor([-3.5, -2.7, 1.0]))

    def forward(
        self,
        y: torch.Tensor,
        kernel: torch.Tensor,
        exact: torch.Tensor | float = ESTIMATED,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Restore photos.

        Args:
            y: (N, 3, H, W) in [0, 1], any size of at least 16.
            kernel: (N, 1, 64, 64), sum 1.
            exact: (N,) or one for all, from 0 to 1, how far the kernel is known rather than estimated.
            noise: (N, 1, 1, 1), the standard deviation of the noise; by default that of these pixels
                (``noise_level``), but parts of one photo should share it.

        Returns:
            (N, 3, H, W).
        """
        known = self.known(kernel, exact)
        noise = noise_level(y) if noise is None else noise
        faithful, smooth = self.deconvolve(y, kernel, known, noise)
        return self.turns(y, kernel, known, noise, faithful, smooth)[-1]

    @staticmethod
    def known(kernel: torch.Tensor, exact: torch.Tensor | float) -> torch.Tensor:
        """How far kernels (N, 1, 64, 64) are known: (N, 1, 1, 1)."""
        known = torch.as_tensor(exact, dtype=kernel.dtype, device=kernel.device)
        return known.expand(len(kernel))[:, None, None, None]

    @staticmethod
    def deconvolve(
        y: torch.Tensor, kernel: torch.Tensor, known: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The restorations on the canvas, under the sparse and the smooth prior.

        Known kernels get the steps that they take if all kernels of the batch are known.
        """
        weight, power = unclipped(y), (noise / ROUNDING).square()
        sparse = FAITHFUL * (FAITHFUL_KNOWN / FAITHFUL) ** known * power
        rounds, steps = (KNOWN_ROUNDS, KNOWN_STEPS) if bool((known == 1).all()) else (ROUNDS, STEPS)
        faithful = restore_sparse(y, kernel, strength=sparse, rounds=rounds, steps=steps, weight=weight)
        quadratic = (0.12 * SMOOTH * power).clamp(min=SMOOTH)
        smooth = conjugate_gradients(y, kernel, strength=quadratic, steps=SMOOTH_STEPS, weight=weight)
        return faithful, smooth

    def turns(
        self,
        y: torch.Tensor,
        kernel: torch.Tensor,
        known: torch.Tensor,
        noise: torch.Tensor,
        faithful: torch.Tensor,
        smooth: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The image after the network's first turn and the final one, of what ``deconvolve`` gave."""
        weight, loud = unclipped(y), (noise / ROUNDING).log()
        model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]), weight)
        flags = torch.cat([known, loud, torch.zeros_like(known)], dim=1)
        first = self._look(y, model.crop(faithful), model.crop(smooth), flags)
        pull = (self.pull[0] + self.pull[1] * known + self.pull[2] * loud).exp()
        whole = model.paste(first, faithful)
        pulled = pull_towards(y, kernel, whole, strength=pull, steps=PULL_STEPS, weight=weight)
        flags = torch.cat([known, loud, torch.ones_like(known)], dim=1)
        return first, self._look(y, model.crop(pulled), first, flags)

    def _look(
        self, y: torch.Tensor, faithful: torch.Tensor, smooth: torch.Tensor, flags: torch.Tensor
    ) -> torch.Tensor:
        """The learned prior: an image (N, 3, H, W) from the photo, a faithful and a smooth restoration."""
        height, width = y.shape[-2:]
        images = torch.cat([y, faithful.clamp(-0.5, 1.5), smooth.clamp(-0.5, 1.5)], dim=1)
        images = F.pad(images, (0, -width % ALIGNED, 0, -height % ALIGNED), mode="replicate")
        x = F.pixel_unshuffle(images - 0.5, _SHUFFLE)
        x = torch.cat([x, flags.expand(-1, -1, *x.shape[-2:])], dim=1)
        x = x.contiguous(memory_format=torch.channels_last)
        with mixed_precision(y.device):
            x = self.tail(self.body(self.head(x)))
        gate, correction = F.pixel_shuffle(x, _SHUFFLE).float().chunk(2, dim=1)
        gate, correction = gate[..., :height, :width], correction[..., :height, :width]
        # A known kernel deserves the faithful image, an estimated one half of it, until the gate says else.
        return smooth + ((1 + flags[:, :1]) / 2 + torch.tanh(gate)) * (faithful - smooth) + correction
