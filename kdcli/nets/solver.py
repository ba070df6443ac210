"""The non-blind solver F(y, k): a sparse prior with an unknown border and a learned prior, in turns.

Plays the part of the deep Wiener network (DWDN, Dong et al. 2020) in the paper: there feature maps are
deconvolved in the Fourier domain, which fails at the border; here the unknown-border model deconvolves the
photo itself, once faithfully under a sparse prior and once smoothly by a few conjugate gradients, and a
network that also sees the blurred photo makes an image of them. Least squares then pull that image back to
what the photo says, the same network, with the same weights, makes another image of both, and that is pulled
back as well, at every place as far as the network is unsure of it (plug-and-play as in DPIR, Zhang et al.
2021, unrolled and trained as one). Trained on true and on estimated kernels, it learns what a wrong kernel's
ringing looks like and falls back on the blurred photo where nothing else can be trusted.

The conjugate gradients are those of the whole photo, whatever its size: what lies beyond a tile's edge would
be felt far inside. The network sees no further than ``_VIEW`` (its norms look at one place at a time), and
goes over large photos in parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.blur.deconvolve import UnknownBorder, conjugate_gradients, pull_towards, unclipped
from kdcli.blur.noise import ROUNDING, noise_level
from kdcli.blur.sparse import restore_sparse
from kdcli.nets.blocks import PixelNorm, UNet
from kdcli.nets.parts import Progress, in_parts
from kdcli.nets.precision import mixed_precision

# Strengths of the priors where rounding is all the noise: sparse, for estimated and known kernels; quadratic.
FAITHFUL, FAITHFUL_KNOWN, SMOOTH = 5e-5, 1e-5, 1e-2
ROUNDS, STEPS, SMOOTH_STEPS, PULL_STEPS = 3, 10, 6, 6
KNOWN_ROUNDS, KNOWN_STEPS = 6, 20  # a weaker prior takes more of them to say what the photo says
LEARNT = 0.8  # how far the estimated kernels of the training are said to be known
CLEAN, NOISY = 0.9, 0.8  # how far those of the engine are taken to be: see ``estimated``
_NOISY_FROM = 1.5  # times the noise of rounding
_SHUFFLE = 4
ALIGNED = 4 * _SHUFFLE  # the network's coarsest pixel
_VIEW = 9 * ALIGNED  # pixels on every side on which the network's answer for one depends, no more
_PART = 1536  # side of the parts in which the network goes over larger photos, which bounds the memory
_HELD, _SURE = 3.0, 3.0  # the most that the logarithm of a strength is, and that the network adds to it
_FLAGS = 3  # maps that say how the kernel is known, how noisy the photo is, which turn this is
_DECONVOLUTION = 0.6  # of the time of a restoration, about


def _nobody(_fraction: float) -> None:
    """Progress that nobody follows."""


def _model(y: torch.Tensor, kernel: torch.Tensor) -> UnknownBorder:
    """Of photos, whose clipped pixels are hardly trusted."""
    return UnknownBorder(kernel, (y.shape[-2], y.shape[-1]), unclipped(y))


def estimated(noise: torch.Tensor) -> torch.Tensor:
    """How far kernels that the engine has estimated are taken to be known: (N, 1, 1, 1), by the noise.

    Photos with a sensor's noise are as soft as lenses and demosaicking make them, and their blur is no
    exact convolution; kernels take that in. Photos without were made smaller, or made altogether.
    """
    beyond = (noise / ROUNDING - 1) / (_NOISY_FROM - 1)
    return CLEAN + (NOISY - CLEAN) * beyond.clamp(0, 1)


class Solver(nn.Module):
    """F(y, k), differentiable in y and k."""

    def __init__(self, widths: tuple[int, ...] = (96, 160, 256)):
        super().__init__()
        self.head = nn.Conv2d(9 * _SHUFFLE**2 + _FLAGS, widths[0], 3, padding=1)
        self.body = UNet(widths, blocks=1, norm=PixelNorm)
        self.tail = nn.Conv2d(widths[0], 7 * _SHUFFLE**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]
        # The logarithm of the pull towards the first image: by itself, for a known kernel, for noise.
        self.pull = nn.Parameter(torch.tensor([-3.5, -2.7, 1.0]))
        # The same towards the second image: for a known kernel, what an estimated one adds, for noise.
        self.hold = nn.Parameter(torch.tensor([-4.7, 1.2, 1.1]))

    def forward(
        self,
        y: torch.Tensor,
        kernel: torch.Tensor,
        exact: torch.Tensor | float | None = None,
        noise: torch.Tensor | None = None,
        progress: Progress = _nobody,
    ) -> torch.Tensor:
        """Restore photos.

        Args:
            y: (N, 3, H, W) in [0, 1], any size of at least 16.
            kernel: (N, 1, 64, 64), sum 1.
            exact: (N,) or one for all, from 0 to 1, how far the kernel is known rather than estimated;
                by default as far as the engine's kernels are (``estimated``).
            noise: (N, 1, 1, 1), the standard deviation of the noise; by default that of these pixels
                (``noise_level``), but parts of one photo should share it.
            progress: called with the fraction that is done.

        Returns:
            (N, 3, H, W).
        """
        noise = noise_level(y) if noise is None else noise
        known = estimated(noise) if exact is None else self.known(kernel, exact)
        restorations = self.deconvolve(y, kernel, known, noise, lambda f: progress(f * _DECONVOLUTION))
        rest = 1 - _DECONVOLUTION
        images = self.turns(
            y, kernel, known, noise, restorations, lambda f: progress(_DECONVOLUTION + rest * f)
        )
        next(images)
        return next(images)

    @staticmethod
    def known(kernel: torch.Tensor, exact: torch.Tensor | float) -> torch.Tensor:
        """How far kernels (N, 1, 64, 64) are known: (N, 1, 1, 1)."""
        known = torch.as_tensor(exact, dtype=kernel.dtype, device=kernel.device)
        return known.expand(len(kernel))[:, None, None, None]

    @staticmethod
    def deconvolve(
        y: torch.Tensor,
        kernel: torch.Tensor,
        known: torch.Tensor,
        noise: torch.Tensor,
        progress: Progress = _nobody,
    ) -> list[torch.Tensor]:
        """The restorations on the canvas, under the sparse and the smooth prior.

        Known kernels get the steps that they take if all kernels of the batch are known.
        """
        model, power = _model(y, kernel), (noise / ROUNDING).square()
        sparse = FAITHFUL * (FAITHFUL_KNOWN / FAITHFUL) ** known * power
        rounds, steps = (KNOWN_ROUNDS, KNOWN_STEPS) if bool((known == 1).all()) else (ROUNDS, STEPS)
        faithful = restore_sparse(y, model, strength=sparse, rounds=rounds, steps=steps, progress=progress)
        quadratic = (0.12 * SMOOTH * power).clamp(min=SMOOTH)
        return [faithful, conjugate_gradients(y, model, strength=quadratic, steps=SMOOTH_STEPS)]

    def turns(
        self,
        y: torch.Tensor,
        kernel: torch.Tensor,
        known: torch.Tensor,
        noise: torch.Tensor,
        restorations: list[torch.Tensor],
        progress: Progress = _nobody,
    ) -> Iterator[torch.Tensor]:
        """What becomes of what ``deconvolve`` gave.

        Args:
            restorations: are taken out of their list: large photos need the memory.

        Yields:
            (N, 3, H, W): the image after the network's first turn, then the final one.
        """
        smooth, canvas = restorations.pop(), restorations.pop()
        model, loud = _model(y, kernel), (noise / ROUNDING).log()
        flags = torch.cat([known, loud, torch.zeros_like(known)], dim=1)
        image = self._look(y, model.crop(canvas), model.crop(smooth), flags, lambda f: progress(0.4 * f))[0]
        del smooth
        yield image
        canvas = model.paste(image, canvas)
        pull = (self.pull[0] + self.pull[1] * known + self.pull[2] * loud).exp()
        canvas = pull_towards(y, model, canvas, strength=pull, steps=PULL_STEPS)
        flags = torch.cat([known, loud, torch.ones_like(known)], dim=1)
        image, sure = self._look(y, model.crop(canvas), image, flags, lambda f: progress(0.5 + 0.4 * f))
        canvas = model.paste(image, canvas)
        del image
        unknown = (1 - known) / (1 - LEARNT)
        hold = self.hold[0] + self.hold[1] * unknown + self.hold[2] * loud
        strength = (hold + model.embed(sure)).clamp(max=_HELD).exp()
        canvas = pull_towards(y, model, canvas, strength=strength, steps=PULL_STEPS)
        progress(1.0)
        yield model.crop(canvas)

    def _look(
        self,
        y: torch.Tensor,
        faithful: torch.Tensor,
        smooth: torch.Tensor,
        flags: torch.Tensor,
        progress: Progress,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The learned prior, of the photo, a faithful and a smooth restoration.

        Returns:
            An image (N, 3, H, W), and how sure the network is of it, from -3 to 3: (N, 1, H, W).
        """
        return in_parts(  # type: ignore[return-value]
            partial(self._look_at, flags),
            (y, faithful, smooth),
            side=_PART,
            view=_VIEW,
            progress=progress,
        )

    def _look_at(
        self, flags: torch.Tensor, y: torch.Tensor, faithful: torch.Tensor, smooth: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One part of it."""
        height, width = y.shape[-2:]
        images = torch.cat([y, faithful.clamp(-0.5, 1.5), smooth.clamp(-0.5, 1.5)], dim=1)
        images = F.pad(images, (0, -width % ALIGNED, 0, -height % ALIGNED), mode="replicate")
        x = F.pixel_unshuffle(images - 0.5, _SHUFFLE)
        x = torch.cat([x, flags.expand(-1, -1, *x.shape[-2:])], dim=1)
        x = x.contiguous(memory_format=torch.channels_last)
        with mixed_precision(y.device):
            x = self.tail(self.body(self.head(x)))
        maps = F.pixel_shuffle(x, _SHUFFLE).float()[..., :height, :width]
        gate, correction, sure = maps.split([3, 3, 1], dim=1)
        # A known kernel deserves the faithful image, an estimated one half of it, until the gate says else.
        image = smooth + ((1 + flags[:, :1]) / 2 + torch.tanh(gate)) * (faithful - smooth) + correction
        return image, _SURE * torch.tanh(sure / _SURE)
