"""Kernels of short handheld exposures: smooth paths, on which the camera lingers here and hurries there.

Where it hurries the path is faint, and estimates that never met such paths lose it (docs/experiments.md).
"""

from __future__ import annotations

import numpy as np

from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.blur.shake import log_uniform, path_kernel

_INSTANTS = 2000  # points of a path
_WAVES = 5  # cosines of which a path consists
_UNEVEN = 1.1  # standard deviation of the logarithm of the speed, at most


def handheld_kernels(
    count: int, rng: np.random.Generator, extent: tuple[float, float] = (6.0, 40.0)
) -> np.ndarray:
    """Kernels of smooth random paths whose wider side is log-uniform in ``extent`` pixels.

    Returns:
        (count, 64, 64) float32, sum 1, centre of mass at pixel (32, 32).
    """
    waves = np.arange(1, _WAVES + 1)[:, None]
    phase = np.pi * waves * np.linspace(0, 1, _INSTANTS)
    widths = log_uniform(count, rng, extent)
    kernels = np.empty((count, KERNEL_SIZE, KERNEL_SIZE), dtype=np.float32)
    for kernel, width in zip(kernels, widths, strict=True):
        path = _sum_of_waves(rng, waves, phase) + 1j * _sum_of_waves(rng, waves, phase)
        slowness = _sum_of_waves(rng, waves, phase)
        slowness *= _UNEVEN * rng.uniform() / slowness.std()
        time = np.exp(slowness) * np.abs(np.gradient(path))  # spent at each point
        kernel[:] = path_kernel(path, width, time)
    return kernels


def _sum_of_waves(rng: np.random.Generator, waves: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """A smooth random function of time: cosines whose amplitudes fall with their frequency."""
    amplitudes = rng.standard_normal(waves.shape) / waves
    sines = rng.standard_normal(waves.shape) / waves
    total: np.ndarray = (amplitudes * np.cos(phase) + sines * np.sin(phase)).sum(0)
    return total
