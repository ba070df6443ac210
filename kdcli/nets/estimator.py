"""The kernel estimator: what a diffusion over blur kernels is conditioned on, and its denoiser.

The encoder does not depend on the diffusion time and runs once for a photo and a current kernel; only the
small denoiser runs at every step. The same weights work at two scales: first on photo and kernel reduced
by two (32x32 kernels), where a big blur is small, then on both whole (64x64 kernels).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from kdcli.blur.deconvolve import UnknownBorder, conjugate_gradients
from kdcli.blur.kernels import KERNEL_SIZE, normalise
from kdcli.blur.spectrum import SpectralLikelihood
from kdcli.nets.blocks import UNet, time_embedding
from kdcli.nets.lagspace import (
    gradients,
    quotients,
    standardise,
    taper,
    whitened_autocorrelation,
    without_centre,
)
from kdcli.nets.precision import mixed_precision
from kdcli.nets.schedule import STEPS

PAIRS = 2  # guesses of the sharp gradients
RESTORATIONS = ((3e-3, 8), (3e-2, 6))  # (gradient prior, CG steps) of the photos shown to the encoder
_SHUFFLE = 4
_EMBEDDING = 128


class Encoder(nn.Module):
    """Reads the photo and its current restorations, writes guesses of the sharp image's gradients.

    (N, 1 + R, H, W) -> (N, PAIRS, 2, H, W): a gate on the restored gradients and a correction to them.
    """

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        channels = (1 + len(RESTORATIONS)) * _SHUFFLE**2
        self.head = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.body = UNet(widths, blocks=1)
        self.tail = nn.Conv2d(widths[0], 4 * PAIRS * _SHUFFLE**2, 3, padding=1)
        nn.init.normal_(self.tail.weight, std=1e-3)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.head(F.pixel_unshuffle(images, _SHUFFLE).contiguous(memory_format=torch.channels_last))
        maps = F.pixel_shuffle(self.tail(self.body(x)), _SHUFFLE).float()
        gate, correction = maps.chunk(2, dim=1)
        restored = torch.cat([gradients(images[:, -1:]), gradients(images[:, -2:-1])], dim=1)
        guess = torch.sigmoid(gate) * restored + correction
        return guess.unflatten(1, (PAIRS, 2))


class Denoiser(nn.Module):
    """A time-conditioned U-Net over the noisy kernel and the condition: predicts k_0.

    The condition's last map is the current kernel in diffusion units. A gate passes it on where it is right
    already: what an ascent has sharpened would be lost on the way through the layers.
    """

    def __init__(self, channels: int, widths: tuple[int, ...]):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(_EMBEDDING, _EMBEDDING), nn.SiLU())
        self.head = nn.Conv2d(4 * (1 + channels), widths[0], 3, padding=1)
        self.body = UNet(widths, blocks=1, embedding=_EMBEDDING, attention=2)
        self.tail = nn.Conv2d(widths[0], 8, 3, padding=1)
        with torch.no_grad():  # the gate begins at zero
            self.tail.weight[4:].zero_()
            self.tail.bias[4:].zero_()  # type: ignore[index]

    def forward(self, k_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        condition, current = condition[:, :-1], condition[:, -1:]
        embedding = self.embed(time_embedding(t.float() / (STEPS - 1), _EMBEDDING))
        x = F.pixel_unshuffle(torch.cat([k_t, condition], dim=1), 2)
        x = self.body(self.head(x.contiguous(memory_format=torch.channels_last)), embedding)
        anew, gate = F.pixel_shuffle(self.tail(F.silu(x)), 2).float().chunk(2, dim=1)
        return anew + gate * (current - anew)


class KernelNet(nn.Module):
    """Encoder and denoiser, at either scale: kernels are (N, 1, K, K), K = 32 or 64."""

    def __init__(self, encoder: tuple[int, ...] = (64, 128, 192), denoiser: tuple[int, ...] = (96, 192, 192)):
        super().__init__()
        self.encoder = Encoder(encoder)
        self.regular = nn.Parameter(torch.log(torch.tensor([0.05, 0.05, 0.05, 0.5])).repeat(PAIRS, 1))
        self.denoiser = Denoiser(4 * PAIRS + 6, denoiser)

    def encode(self, y: torch.Tensor, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Everything the denoiser needs to know about a photo, once for all times.

        Args:
            y: (N, 1, H, W) luminance, standardised; H and W divisible by 16.
            kernel: (N, 1, K, K), the current estimate; an impulse where nothing is known.

        Returns:
            The condition (N, C, K, K), and the guesses of the sharp gradients (N, PAIRS, 2, H, W).
        """
        lags = kernel.shape[-1]
        with torch.no_grad():
            images = [y, *(restore_for_estimation(y, kernel, s, n) for s, n in RESTORATIONS)]
        with mixed_precision(y.device):
            guess = self.encoder(torch.cat(images, dim=1))
        window = taper((y.shape[-2], y.shape[-1]), lags // 2, y.device)
        g = gradients(y) * window
        lag_maps = quotients(guess * window, g, self.regular.exp(), lags)
        spectrum = SpectralLikelihood(g)
        condition = [
            lag_maps,
            whitened_autocorrelation(g, lags),
            standardise(kernel),
            standardise(spectrum.descent(kernel)),
            standardise(without_centre(spectrum.cepstrum(lags))),
            torch.full_like(kernel, 1.0 if lags == KERNEL_SIZE else -1.0),  # which scale this is
            to_units(kernel),
        ]
        return torch.cat(condition, dim=1), guess

    def denoise(self, k_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """k_0, (N, 1, K, K) in diffusion units, from k_t and integer times (N,)."""
        with mixed_precision(k_t.device):
            k0: torch.Tensor = self.denoiser(k_t, t, condition)
            return k0

    @torch.no_grad()
    def predict(self, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """One pass: the prediction from pure noise at the last time, which is the posterior mean E[k | y].

        The photo is read as restored with the kernel of the pass before (cf. Schuler et al., "Learning to
        deblur", 2014).

        Args:
            y: (N, 1, H, W) standardised luminance, reduced by two where K = 32.
            kernel: (N, 1, K, K), the pass before's, or impulses.

        Returns:
            (N, 1, K, K), sum 1.
        """
        n, k = len(y), kernel.shape[-1]
        noise = torch.randn((1, 1, k, k), generator=torch.Generator().manual_seed(0)).to(y.device)
        t = torch.full((n,), STEPS - 1, device=y.device)
        condition, _ = self.encode(y, kernel)
        return from_units(self.denoise(noise.expand(n, -1, -1, -1), t, condition))


def restore_for_estimation(
    y: torch.Tensor, kernel: torch.Tensor, strength: float, steps: int
) -> torch.Tensor:
    """A quick restoration (N, 1, H, W) that shows the encoder where the current kernel leads."""
    model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]))
    return model.crop(conjugate_gradients(y, model, strength=strength, steps=steps))


def luminance(image: torch.Tensor) -> torch.Tensor:
    """Rec. 601 luminance (N, 1, H, W) of (N, 3 or 1, H, W)."""
    if image.shape[1] == 1:
        return image
    weights = torch.tensor([0.299, 0.587, 0.114], device=image.device)
    return (image * weights[:, None, None]).sum(1, keepdim=True)


def to_units(kernel: torch.Tensor) -> torch.Tensor:
    """Kernels (..., K, K) to diffusion units: [-1, 1] by their own peak."""
    return 2 * kernel / kernel.amax((-2, -1), keepdim=True).clamp(min=1e-20) - 1


def from_units(k0: torch.Tensor) -> torch.Tensor:
    """A prediction in diffusion units to kernels: clamped at zero, sum 1."""
    return normalise((k0 + 1) / 2)


def reduce_image(y: torch.Tensor) -> torch.Tensor:
    """An image (N, C, H, W) averaged 2x2."""
    return F.avg_pool2d(y, 2)


def reduce_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """The kernel (N, 1, K/2, K/2) that acts on 2x2-averaged images as the given one on the whole.

    Taps at even shifts stay, taps at odd shifts are shared by their neighbours; the origin stays put.
    """
    tent = torch.tensor([0.5, 1.0, 0.5], dtype=kernel.dtype, device=kernel.device)
    return F.conv2d(kernel, (tent[:, None] * tent)[None, None], stride=2, padding=1)


def expand_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """The transpose of ``reduce_kernel``: linear interpolation to (N, 1, 2K, 2K), sum kept."""
    tent = torch.tensor([0.5, 1.0, 0.5], dtype=kernel.dtype, device=kernel.device)
    weight = (tent[:, None] * tent)[None, None] / 4
    return F.conv_transpose2d(kernel, weight, stride=2, padding=1, output_padding=1)
