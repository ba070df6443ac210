"""Motion-blur kernels: the random paths that the Kernel-Diff paper trained and tested with.

After the generator of L. Borodenko ("motionblur", 2020) that the paper's authors used: a path of random
steps and turns, drawn as a thin line on a canvas of twice the size and reduced.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from kdcli.blur.kernels import KERNEL_SIZE, centred

INTENSITY = (0.1, 0.95)  # what the paper drew from
_TINY = 0.1  # keeps steps and turns from vanishing at either end of the intensity range


def motion_path(intensity: float, diagonal: float, rng: np.random.Generator) -> np.ndarray:
    """A random camera path.

    Args:
        intensity: 0 (straight and long steps) to 1 (short steps, tight turns).
        diagonal: of the canvas, in pixels; lengths are multiples of it.

    Returns:
        (points,) complex128: x + iy in pixels, centred on their mean.
    """
    longest = 0.75 * diagonal * (rng.uniform() + rng.uniform(0, intensity**2))
    steps: list[float] = []
    total = 0.0
    while total < longest:
        step = rng.beta(1, 30) * (1 - intensity + _TINY) * diagonal
        if step < longest:
            steps.append(step)
            total += step
    largest = rng.uniform(0, intensity * np.pi)
    flip_chance = rng.beta(2, 20)
    turns = rng.triangular(0, intensity * largest, largest + _TINY, len(steps))
    turns[0] = rng.uniform(-largest, largest)
    signs = np.where(rng.uniform(size=len(steps)) < flip_chance, -1.0, 1.0)
    signs[0] = 1.0 if turns[0] >= 0 else -1.0
    headings = np.abs(turns) * np.cumprod(signs)  # each from one axis, not from the step before
    path = np.concatenate([[0], np.cumsum(np.asarray(steps) * np.exp(1j * headings))])
    return (path - path.mean()) * np.exp(1j * rng.uniform(0, np.pi))


def motion_kernels(
    count: int, rng: np.random.Generator, intensity: tuple[float, float] = INTENSITY
) -> np.ndarray:
    """Motion-blur kernels, intensity ~ U(intensity).

    Returns:
        (count, 64, 64) float32, sum 1, centre of mass at pixel (32, 32).
    """
    if count == 0:
        return np.zeros((0, KERNEL_SIZE, KERNEL_SIZE), dtype=np.float32)
    return np.stack([_motion_kernel(rng.uniform(*intensity), rng) for _ in range(count)])


def _motion_kernel(intensity: float, rng: np.random.Generator) -> np.ndarray:
    size = 2 * KERNEL_SIZE
    diagonal = float(np.hypot(size, size))
    path = motion_path(intensity, diagonal, rng) + (1 + 1j) * size / 2
    canvas = Image.new("L", (size, size))
    points = [(float(p.real), float(p.imag)) for p in path]
    ImageDraw.Draw(canvas).line(points, fill=255, width=int(diagonal / 150))
    canvas = canvas.filter(ImageFilter.GaussianBlur(int(0.01 * diagonal)))
    canvas = canvas.resize((KERNEL_SIZE, KERNEL_SIZE), resample=Image.Resampling.LANCZOS)
    return centred(np.asarray(canvas, dtype=np.float32))
