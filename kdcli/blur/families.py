"""Every kernel family behind one interface: ``sample(family, count, rng)``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdcli.blur.handheld import handheld_kernels
from kdcli.blur.kernels import KERNEL_SIZE, ORIGIN, centred
from kdcli.blur.motion import motion_kernels
from kdcli.blur.shake import shake_kernels

Family = Callable[[int, np.random.Generator], np.ndarray]

_SUB = 5  # samples a pixel side when a shape is drawn
_OFFSETS = (np.arange(KERNEL_SIZE * _SUB) + 0.5) / _SUB - ORIGIN - 0.5
_Y, _X = np.meshgrid(_OFFSETS, _OFFSETS, indexing="ij")


def _draw(shape: np.ndarray) -> np.ndarray:
    """Average a finely sampled shape over the pixels of the canvas."""
    grid = shape.reshape(KERNEL_SIZE, _SUB, KERNEL_SIZE, _SUB).mean((1, 3))
    return centred(grid.astype(np.float32))


def linear_kernels(count: int, rng: np.random.Generator) -> np.ndarray:
    """Straight motion at constant speed: length ~ U(2, 50) pixels, any direction, width 1."""
    kernels = []
    for angle, length in zip(rng.uniform(0, np.pi, count), rng.uniform(2, 50, count), strict=True):
        along, across = _X * np.cos(angle) + _Y * np.sin(angle), _Y * np.cos(angle) - _X * np.sin(angle)
        kernels.append(_draw((np.abs(along) <= length / 2) & (np.abs(across) <= 0.5)))
    return np.asarray(kernels, dtype=np.float32).reshape(count, KERNEL_SIZE, KERNEL_SIZE)


def defocus_kernels(count: int, rng: np.random.Generator) -> np.ndarray:
    """Defocus discs: radius ~ U(0.8, 10) pixels."""
    discs = [_draw(radius**2 >= _X**2 + _Y**2) for radius in rng.uniform(0.8, 10, count)]
    return np.asarray(discs, dtype=np.float32).reshape(count, KERNEL_SIZE, KERNEL_SIZE)


def gaussian_kernels(count: int, rng: np.random.Generator) -> np.ndarray:
    """Anisotropic Gaussians: standard deviations ~ U(0.4, 5) pixels along two turned axes."""
    kernels = []
    for angle, (s, t) in zip(rng.uniform(0, np.pi, count), rng.uniform(0.4, 5, (count, 2)), strict=True):
        along, across = _X * np.cos(angle) + _Y * np.sin(angle), _Y * np.cos(angle) - _X * np.sin(angle)
        kernels.append(_draw(np.exp(-0.5 * ((along / s) ** 2 + (across / t) ** 2))))
    return np.asarray(kernels, dtype=np.float32).reshape(count, KERNEL_SIZE, KERNEL_SIZE)


def identity_kernels(count: int, rng: np.random.Generator) -> np.ndarray:
    """No blur at all."""
    kernels = np.zeros((count, KERNEL_SIZE, KERNEL_SIZE), dtype=np.float32)
    kernels[:, ORIGIN, ORIGIN] = 1
    return kernels


_MIXTURE = {"motion": 0.6, "shake": 0.24, "linear": 0.06, "defocus": 0.04, "gaussian": 0.04, "identity": 0.02}


def mixed_kernels(count: int, rng: np.random.Generator) -> np.ndarray:
    """All families, in the shares that the bundled weights were trained with."""
    counts = rng.multinomial(count, list(_MIXTURE.values()))
    parts = [FAMILIES[name](int(n), rng) for name, n in zip(_MIXTURE, counts, strict=True)]
    return np.concatenate(parts)[rng.permutation(count)]


FAMILIES: dict[str, Family] = {
    "motion": motion_kernels,
    "shake": shake_kernels,
    "handheld": handheld_kernels,
    "linear": linear_kernels,
    "defocus": defocus_kernels,
    "gaussian": gaussian_kernels,
    "identity": identity_kernels,
    "mixed": mixed_kernels,
}


def sample(family: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw kernels of a family.

    Returns:
        (count, 64, 64) float32, non-negative, sum 1, centre of mass at pixel (32, 32).

    Raises:
        ValueError: unknown family.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown kernel family {family!r}: choose one of {', '.join(FAMILIES)}")
    return FAMILIES[family](count, rng)
