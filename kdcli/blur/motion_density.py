"""The one camera motion behind the kernels of many places: a density over rolls and shifts.

A camera that rolls by a about the photo's middle c and shifts by s spends the share w(a, s) of the exposure
in that pose, and every pixel p sees its own projection of w (Gupta et al., "Single image deblurring using
motion density functions", ECCV 2010):

    k_p = sum_a shift(w(a, .), -(exp(i a) - 1) (p - c))

with places as complex numbers, column + i row. Kernels estimated in a few places give w by least squares over
w >= 0, and w gives the kernel of every place: what one estimate got wrong, the others don't share, and beyond
the outermost and between two of them there is nothing to guess.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from kdcli.blur.kernels import KERNEL_SIZE, centred_exactly, move_onto, normalise
from kdcli.blur.projected import accelerated, largest_eigenvalue, onto_simplex

_CANVAS = KERNEL_SIZE + KERNEL_SIZE // 2  # room for shifts up to half a kernel
_ANGLES, _STEP = 29, 2.0  # rolls, and the pixels by which neighbouring ones differ farthest from the middle
_ROUNDS, _STEPS = 2, 15  # of aligning the kernels, and of accelerated projected gradients in each


class MotionDensity:
    """Shares of the exposure for rolls and shifts of the camera.

    Args:
        density: (A, 64, 64), non-negative, sum 1: a kernel for each roll.
        angles: (A,) rolls in radians.
        middle: of the photo, column + i row, in pixels.
    """

    def __init__(self, density: torch.Tensor, angles: np.ndarray, middle: complex):
        self.density, self.angles, self.middle = density, angles, middle

    def at(self, row: float, column: float) -> torch.Tensor:
        """The kernel (1, 1, 64, 64) of a pixel, sum 1, its centre of mass at the origin."""
        phases = _phases(np.array([column + 1j * row]) - self.middle, self.angles, self.density.device)
        return centred_exactly(normalise(_project(self.density[None], phases).clamp(min=0)))


@torch.no_grad()
def fit_motion(
    kernels: torch.Tensor, places: Sequence[tuple[float, float]], trust: torch.Tensor, middle: complex
) -> MotionDensity:
    """The camera motion that explains kernels best, by FISTA (Beck and Teboulle 2009).

    No photo tells where a kernel lies, so they are moved to where the motion has them.

    Args:
        kernels: (N, 1, 64, 64), sum 1, the centre of mass at the origin.
        places: N rows and columns, in pixels.
        trust: (N,) in [0, 1], weights of the kernels.
        middle: of the photo, column + i row.
    """
    offsets = np.array([column + 1j * row for row, column in places]) - middle
    angles = (np.arange(_ANGLES) - _ANGLES // 2) * _STEP / max(float(np.abs(offsets).max()), KERNEL_SIZE)
    phases = _phases(offsets, angles, kernels.device)
    weights = trust[:, None, None, None]

    def curvature(w: torch.Tensor) -> torch.Tensor:
        return _back(weights * _project(w, phases), phases)

    density = normalise((weights * kernels).sum(0, keepdim=True)).repeat(1, _ANGLES, 1, 1) / _ANGLES
    step = 1 / largest_eigenvalue(curvature, density)
    target = kernels
    for number in range(_ROUNDS):
        if number > 0:
            target = move_onto(_project(density, phases).clamp(min=0), kernels)
        right = _back(weights * target, phases)

        def stepped(w: torch.Tensor, right: torch.Tensor = right) -> torch.Tensor:
            return onto_simplex((w - step * (curvature(w) - right)).flatten(2)[..., None]).view_as(w)

        density = accelerated(density, stepped, _STEPS)
    return MotionDensity(density[0], angles, middle)


def _phases(offsets: np.ndarray, angles: np.ndarray, device: torch.device) -> torch.Tensor:
    """What moves the kernel of each roll to where each place sees it: (N, A, 96, 49) complex."""
    moved = torch.from_numpy(-(np.exp(1j * angles) - 1) * offsets[:, None]).to(device)[..., None, None]
    rows = torch.fft.fftfreq(_CANVAS, device=device)[:, None]
    columns = torch.fft.rfftfreq(_CANVAS, device=device)
    return torch.exp(-2j * torch.pi * (rows * moved.imag + columns * moved.real)).to(torch.complex64)


def _project(density: torch.Tensor, phases: torch.Tensor) -> torch.Tensor:
    """The kernels (N, 1, 64, 64) of a density (1, A, 64, 64)."""
    spectrum = torch.fft.rfft2(density[0], s=(_CANVAS, _CANVAS))
    moved = torch.einsum("naij,aij->nij", phases, spectrum)
    return torch.fft.irfft2(moved, s=(_CANVAS, _CANVAS))[:, None, :KERNEL_SIZE, :KERNEL_SIZE]


def _back(kernels: torch.Tensor, phases: torch.Tensor) -> torch.Tensor:
    """The adjoint of ``_project``: (1, A, 64, 64) from kernels (N, 1, 64, 64)."""
    spectrum = torch.fft.rfft2(kernels[:, 0], s=(_CANVAS, _CANVAS))
    moved = torch.einsum("naij,nij->aij", phases.conj(), spectrum)
    return torch.fft.irfft2(moved, s=(_CANVAS, _CANVAS))[None, :, :KERNEL_SIZE, :KERNEL_SIZE]
