"""Camera-shake kernels: hand tremor as a random walk with inertia and impulsive jerks.

After Boracchi and Foi, "Modeling the performance of image restoration from motion blur", IEEE TIP 2012:
the camera moves for the whole exposure, so the kernel is brighter where it lingers.
"""

from __future__ import annotations

import numpy as np

from kdcli.blur.kernels import KERNEL_SIZE, centred

_INSTANTS = 1000  # points of time in an exposure


def shake_trajectories(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random camera trajectories of unit length.

    Returns:
        (count, instants) complex128: position x + iy at equal steps of the exposure time.
    """
    anxiety = 0.1 * rng.uniform(size=count) ** 2
    pull = 0.7 * rng.uniform(size=count)  # back to the axis, as a hand corrects itself
    jerk_chance = 0.2 * rng.uniform(size=count)
    tremor = 10 * rng.uniform(size=count)
    speed = 1 / (_INSTANTS - 1)
    velocity = np.exp(2j * np.pi * rng.uniform(size=count)) * speed
    place = np.zeros((count, _INSTANTS), dtype=np.complex128)
    for t in range(_INSTANTS - 1):
        noise = rng.standard_normal((2, count))
        jerks = rng.uniform(size=count) < jerk_chance * anxiety
        jerk = 2 * velocity * np.exp(1j * (np.pi + rng.uniform(-0.5, 0.5, count)))
        push = anxiety * (tremor * (noise[0] + 1j * noise[1]) - pull * place[:, t] * KERNEL_SIZE) * speed
        velocity = velocity + np.where(jerks, jerk, 0) + push
        velocity *= speed / np.abs(velocity)
        place[:, t + 1] = place[:, t] + velocity
    return place


def shake_kernels(
    count: int, rng: np.random.Generator, extent: tuple[float, float] = (4.0, 48.0)
) -> np.ndarray:
    """Camera-shake kernels whose wider side is log-uniform in ``extent`` pixels.

    Returns:
        (count, 64, 64) float32, sum 1, centre of mass at pixel (32, 32).
    """
    place = shake_trajectories(count, rng)
    kernels = np.empty((count, KERNEL_SIZE, KERNEL_SIZE), dtype=np.float32)
    for kernel, path, width in zip(kernels, place, log_uniform(count, rng, extent), strict=True):
        kernel[:] = path_kernel(path, width)
    return kernels


def log_uniform(count: int, rng: np.random.Generator, extent: tuple[float, float]) -> np.ndarray:
    """So many log-uniform numbers between two."""
    shortest, longest = np.log(extent)
    return np.exp(rng.uniform(shortest, longest, count))


def path_kernel(path: np.ndarray, width: float, time: np.ndarray | float = 1.0) -> np.ndarray:
    """The kernel (64, 64) of a path (T,), complex, enlarged until its wider side has so many pixels.

    Args:
        time: spent at each of its points.
    """
    span = max(np.ptp(path.real), np.ptp(path.imag))
    return centred(splat((path - path.mean()) * (width / span), time))


def splat(path: np.ndarray, time: np.ndarray | float = 1.0) -> np.ndarray:
    """Collect the points of a path around (0, 0) on the canvas, each shared by its four pixels.

    Args:
        time: spent at each point.
    """
    y, x = path.imag + KERNEL_SIZE / 2, path.real + KERNEL_SIZE / 2
    inside = (y >= 0) & (x >= 0) & (y < KERNEL_SIZE - 1) & (x < KERNEL_SIZE - 1)
    y, x = y[inside], x[inside]
    row, column = y.astype(int), x.astype(int)
    fy, fx = y - row, x - column
    index = np.concatenate([(row + r) * KERNEL_SIZE + column + c for r in (0, 1) for c in (0, 1)])
    weight = np.concatenate([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx])
    weight *= np.tile(np.broadcast_to(time, path.shape)[inside], 4)
    canvas = np.bincount(index, weight, minlength=KERNEL_SIZE**2).reshape(KERNEL_SIZE, KERNEL_SIZE)
    return canvas.astype(np.float32)
