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
be felt far inside. The network sees no further than a small surrounding (its norms look at one place at a
time), and goes over large photos in parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from kdcli.blur.deconvolve import UnknownBorder, conjugate_gradients, pull_towards, unclipped
from kdcli.blur.noise import ROUNDING, SENSOR, noise_level
from kdcli.blur.sparse import restore_sparse
from kdcli.nets.parts import Progress
from kdcli.nets.prior import LearnedPrior

# Strengths of the priors, for the noise of rounding: sparse, for kernels of which next to nothing and of
# which nearly all is known, for known ones (of noisy photos in training only: see ``given``), and for these
# where rounding is indeed all the noise; quadratic.
FAITHFUL, FAITHFUL_SURE, FAITHFUL_KNOWN, FAITHFUL_EXACT, SMOOTH = 5e-5, 1e-5, 6e-6, 4e-6, 1e-2
ROUNDS, STEPS, SMOOTH_STEPS, PULL_STEPS = 3, 10, 6, 6
# A weaker prior takes more of them to say what the photo says.
KNOWN_ROUNDS, KNOWN_STEPS = 6, 24
EXACT_ROUNDS, EXACT_STEPS = 12, 40
LEARNT = 0.8  # how far the estimated kernels of the training are said to be known
CLEAN, NOISY = 0.9, 0.8  # how far those of the engine are taken to be: see ``estimated``
GIVEN, GIVEN_NOISY = 1.0, 0.9  # and those that a user gives: see ``given``
_HARDLY_MORE = 1.001  # times the power of rounding: none but that
_HELD = 3.0  # the most that the logarithm of a strength is
_DECONVOLUTION = 0.6  # of the time of a restoration, about


def _nobody(_fraction: float) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True)
class Observation:
    """Blurred photos, and what is known of how they came to be.

    Attributes:
        y: (N, 3, H, W) in [0, 1].
        model: of their blur; clipped pixels are hardly trusted.
        known: (N, 1, 1, 1), how far the kernels are known, from 0 to 1.
        noise: (N, 1, 1, 1), its standard deviation.
    """

    y: torch.Tensor
    model: UnknownBorder
    known: torch.Tensor
    noise: torch.Tensor

    @classmethod
    def of(
        cls, y: torch.Tensor, kernel: torch.Tensor, known: torch.Tensor, noise: torch.Tensor
    ) -> Observation:
        """Photos blurred by kernels (N, 1, 64, 64)."""
        return cls(y, UnknownBorder(kernel, (y.shape[-2], y.shape[-1]), unclipped(y)), known, noise)

    @property
    def loudness(self) -> torch.Tensor:
        """The logarithm of the noise in multiples of that of rounding: (N, 1, 1, 1)."""
        return (self.noise / ROUNDING).log()

    def flags(self, turn: int) -> torch.Tensor:
        """What the network is told in one of its turns, 0 or 1: (N, 3, 1, 1)."""
        return torch.cat([self.known, self.loudness, torch.full_like(self.known, turn)], dim=1)


def estimated(noise: torch.Tensor) -> torch.Tensor:
    """How far kernels that the engine has estimated are taken to be known: (N, 1, 1, 1), by the noise.

    Photos with a sensor's noise are as soft as lenses and demosaicking make them, and their blur is no
    exact convolution; kernels take that in. Photos without were made smaller, or made altogether.
    """
    return _by_noise(noise, CLEAN, NOISY)


def given(noise: torch.Tensor) -> torch.Tensor:
    """How far kernels that a user gives are taken to be known: (N,), by the noise (N, 1, 1, 1).

    However well it was measured, no kernel tells exactly how a camera blurs.
    """
    return torch.where(_is_rounding(noise), GIVEN, _by_noise(noise, GIVEN, GIVEN_NOISY)).flatten()


def _is_rounding(noise: torch.Tensor) -> torch.Tensor:
    """Whether rounding is all the noise, computed on whatever device: shaped as the noise is."""
    return (noise / ROUNDING).square() < _HARDLY_MORE


def _by_noise(noise: torch.Tensor, clean: float, noisy: float) -> torch.Tensor:
    """From one value, where rounding is all the noise, to another for a sensor's; shaped as the noise is."""
    beyond = (noise - ROUNDING) / (SENSOR - ROUNDING)
    return clean + (noisy - clean) * beyond.clamp(0, 1)


class Solver(nn.Module):
    """F(y, k), differentiable in y and k."""

    def __init__(self, widths: tuple[int, ...] = (96, 160, 256)):
        super().__init__()
        self.prior = LearnedPrior(widths)
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
                (``noise_level``, told the kernel if ``exact`` is given); parts of one photo should share it.
            progress: called with the fraction that is done.

        Returns:
            (N, 3, H, W).
        """
        if noise is None:
            noise = noise_level(y, None if exact is None else kernel)
        known = estimated(noise) if exact is None else self.known(kernel, exact)
        seen = Observation.of(y, kernel, known, noise)
        images = self.deconvolve(seen, lambda f: progress(f * _DECONVOLUTION))
        rest = (1 - _DECONVOLUTION) / 2
        images = [self.first_turn(seen, images, lambda f: progress(_DECONVOLUTION + rest * f))]
        return self.second_turn(seen, images, lambda f: progress(1 - rest + rest * f))

    @staticmethod
    def known(kernel: torch.Tensor, exact: torch.Tensor | float) -> torch.Tensor:
        """How far kernels (N, 1, 64, 64) are known: (N, 1, 1, 1)."""
        known = torch.as_tensor(exact, dtype=kernel.dtype, device=kernel.device)
        return known.expand(len(kernel))[:, None, None, None]

    @staticmethod
    def deconvolve(seen: Observation, progress: Progress = _nobody) -> list[torch.Tensor]:
        """The restorations on the canvas, under the sparse and the smooth prior.

        Known kernels get the steps that they take if all kernels of the batch are known.
        """
        known, power = seen.known, (seen.noise / ROUNDING).square()
        partly = FAITHFUL * (FAITHFUL_SURE / FAITHFUL) ** known
        # Cameras' photos have some noise, and a blur that no kernel tells exactly: not so weak a prior.
        exact = (known == 1) & _is_rounding(seen.noise)
        sparse = torch.where(exact, FAITHFUL_EXACT, torch.where(known == 1, FAITHFUL_KNOWN, partly)) * power
        rounds, steps = ROUNDS, STEPS
        if bool((known == 1).all()):
            rounds, steps = (EXACT_ROUNDS, EXACT_STEPS) if bool(exact.any()) else (KNOWN_ROUNDS, KNOWN_STEPS)
        faithful = restore_sparse(
            seen.y, seen.model, strength=sparse, rounds=rounds, steps=steps, progress=progress
        )
        quadratic = (0.12 * SMOOTH * power).clamp(min=SMOOTH)
        return [faithful, conjugate_gradients(seen.y, seen.model, strength=quadratic, steps=SMOOTH_STEPS)]

    def first_turn(
        self, seen: Observation, restorations: list[torch.Tensor], progress: Progress = _nobody
    ) -> torch.Tensor:
        """The network's image of what ``deconvolve`` gave, on the canvas.

        Args:
            restorations: are taken out of their list: large photos need the memory.
        """
        smooth, canvas = restorations.pop(), restorations.pop()
        crop = seen.model.crop
        image, _ = self.prior(seen.y, crop(canvas), crop(smooth), seen.flags(0), progress)
        del smooth
        return seen.model.paste(image, canvas)

    def second_turn(
        self, seen: Observation, images: list[torch.Tensor], progress: Progress = _nobody
    ) -> torch.Tensor:
        """The restored photos (N, 3, H, W), from the image of the first turn.

        Args:
            images: holds that image, which is taken out.
        """
        canvas = images.pop()
        y, model, known, loud = seen.y, seen.model, seen.known, seen.loudness
        first = model.crop(canvas)
        pull = (self.pull[0] + self.pull[1] * known + self.pull[2] * loud).exp()
        canvas = pull_towards(y, model, canvas, strength=pull, steps=PULL_STEPS)
        image, sure = self.prior(
            y, model.crop(canvas), first, seen.flags(1), lambda f: progress(0.2 + 0.6 * f)
        )
        del first
        canvas = model.paste(image, canvas)
        del image
        unknown = (1 - known) / (1 - LEARNT)
        hold = self.hold[0] + self.hold[1] * unknown + self.hold[2] * loud
        strength = (hold + model.embed(sure)).clamp(max=_HELD).exp()
        canvas = pull_towards(y, model, canvas, strength=strength, steps=PULL_STEPS)
        progress(1.0)
        return model.crop(canvas)
