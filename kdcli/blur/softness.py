"""How soft a photo was before its blur, as lenses and demosaicking make it, told from the kernel alone.

A photo doesn't say which part of its blur is motion and which is the camera's softness, which sharp and
blurred photo share: estimated kernels hold both, and what is restored with them comes out sharper than any
photo of that camera. But a shaking camera draws thin lines. So as much of a kernel as a Gaussian explains,

    the largest s with min_{u >= 0} | G_s * u - k | <= 0.05 |k|,

is softness, except for the first 0.4 pixels, as fat as lines are on a grid of pixels; and four fifths of the
rest, for kernels that are wrong are fat, too (docs/experiments.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.convolve import gaussian_otf
from kdcli.blur.projected import accelerated

_SCALES = (0.0, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)  # pixels
_UNEXPLAINED = 0.05
_THIN = 0.4  # pixels that kernels of lines explain by a Gaussian
_SHARE = 0.8
_STEPS = 60  # of accelerated projected gradients
_MARGIN = 8  # on either side of a kernel, so that the largest Gaussian doesn't come in again


def softness_of_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """The softness that estimated kernels (N, 1, 64, 64) hold besides the motion: (N,), in pixels, 0 to 0.8.

    The standard deviation of the Gaussian that has to follow the restoration.
    """
    return _SHARE * (fatness(kernel) - _THIN).clamp(min=0)


def is_fatter(kernel: torch.Tensor, width: float) -> torch.Tensor:
    """Whether the fatness of kernels (N, 1, 64, 64) exceeds so many pixels: (N,), in a sixth of its time."""
    return _unexplained(kernel, kernel.new_tensor(width)) <= _UNEXPLAINED


def fatness(kernel: torch.Tensor) -> torch.Tensor:
    """The widest Gaussian (N,), in pixels, that something non-negative explains kernels (N, 1, 64, 64) by."""
    scales = kernel.new_tensor(_SCALES)
    left = torch.stack([_unexplained(kernel, scale) for scale in scales[1:]], dim=1)
    left = F.pad(left, (1, 0))  # no Gaussian at all leaves nothing
    too_wide = (left > _UNEXPLAINED).float()
    # The first one that is too wide, if any, and where between it and the one before the limit lies.
    first = torch.where(too_wide.any(1), too_wide.argmax(1), len(scales))
    after = first.clamp(max=len(scales) - 1)
    low, high = (left.gather(1, i[:, None])[:, 0] for i in (after - 1, after))
    part = (_UNEXPLAINED - low) / (high - low)
    between = scales[after - 1] + (scales[after] - scales[after - 1]) * part
    return torch.where(first < len(scales), between, scales[-1])


def _unexplained(kernel: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """What a Gaussian of that width leaves of kernels at least, (N,), as a part of their norms."""
    k = F.pad(kernel, (_MARGIN,) * 4)
    size = (k.shape[-2], k.shape[-1])
    transfer = gaussian_otf(width[None], size)

    def through(u: torch.Tensor, filter_: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(u) * filter_, s=size)

    right, twice = through(k, transfer), transfer.square()
    # No eigenvalue is larger than 1, nor is the step.
    u = accelerated(k, lambda u: (u - through(u, twice) + right).clamp(min=0), _STEPS)
    return ((through(u, transfer) - k).norm(dim=(-2, -1)) / k.norm(dim=(-2, -1)))[:, 0]
