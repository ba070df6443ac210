"""The Python API: what `kd deblur` and `kd estimate-kernel` do, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdcli.blur.kernels import KERNEL_SIZE
from kdcli.engine.deblur import deblur_image, estimate_image_kernel
from kdcli.engine.options import make_options
from kdcli.engine.results import Deblurred, KernelEstimate
from kdcli.errors import KdError, UsageError
from kdcli.files.photo import MIN_SIDE
from kdcli.weights import load_models

if TYPE_CHECKING:
    from kdcli.weights import Models


def deblur(
    image: NDArray[Any],
    *,
    kernel: NDArray[Any] | None = None,
    models: Models | None = None,
    device: str = "auto",
    preset: str = "balanced",
    steps: int | None = None,
    guidance: float | None = None,
    samples: int | None = None,
    refine_steps: int | None = None,
    blur: str = "uniform",
    light: str = "encoded",
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Deblurred:
    """Restore a photo blurred by camera motion.

    Args:
        image: (H, W) or (H, W, 3); floating point in [0, 1], uint8 or uint16.
        kernel: the blur kernel (64, 64), sum 1, where it is known; otherwise it is estimated.
        models: loaded with `load_models`, to be used for many photos; otherwise loaded for this one.
        device: "auto", "cpu", "cuda" or "cuda:N", where `models` is not given.
        preset: "fast", "balanced", "best" or "paper"; the four that follow replace parts of it.
        blur: "uniform" for one kernel, "varying" for kernels that change across the photo, or "auto".
        light: "encoded" to deblur the values as they are, "linear" for the light that they stand for by sRGB.
        seed: of the random numbers.
        progress: called with a stage's name and the fraction of it that is done.

    Returns:
        The restored image in [0, 1] as float32 of the same shape, the kernel, and how it went.

    Raises:
        UsageError: an argument out of range.
        KdError: damaged weights, or an image of NaN or infinite values.
    """
    options = make_options(
        preset,
        steps=steps,
        guidance=guidance,
        samples=samples,
        refine_steps=refine_steps,
        blur=blur,
        light=light,
        seed=seed,
    )
    pixels, known = _pixels(image), None if kernel is None else _kernel(kernel)
    return deblur_image(pixels, models or load_models(device), options, kernel=known, progress=progress)


def estimate_kernel(
    image: NDArray[Any],
    *,
    models: Models | None = None,
    device: str = "auto",
    preset: str = "balanced",
    steps: int | None = None,
    guidance: float | None = None,
    samples: int | None = None,
    refine_steps: int | None = None,
    blur: str = "uniform",
    light: str = "encoded",
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> KernelEstimate:
    """Estimate the blur kernel of a photo: (64, 64) float32, sum 1. Arguments and errors as for `deblur`."""
    options = make_options(
        preset,
        steps=steps,
        guidance=guidance,
        samples=samples,
        refine_steps=refine_steps,
        blur=blur,
        light=light,
        seed=seed,
    )
    pixels = _pixels(image)
    return estimate_image_kernel(pixels, models or load_models(device), options, progress=progress)


def _pixels(image: NDArray[Any]) -> NDArray[np.float32]:
    """The image as float32 in [0, 1], checked."""
    image = np.asarray(image)
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] == 3):
        raise UsageError(f"an image of shape {image.shape}: pass (H, W) or (H, W, 3)")
    if min(image.shape[:2]) < MIN_SIDE:
        raise UsageError(f"an image of {image.shape[1]}x{image.shape[0]} pixels: kd needs {MIN_SIDE} a side")
    if image.dtype in (np.uint8, np.uint16):
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    if image.dtype.kind != "f":
        raise UsageError(f"an image of {image.dtype}: pass floating point in [0, 1], uint8 or uint16")
    if not np.isfinite(image).all():
        raise KdError("the image holds NaN or infinite pixels: mend them first")
    if image.size and (image.min() < -1e-3 or image.max() > 1 + 1e-3):
        raise UsageError(f"an image from {image.min():.4g} to {image.max():.4g}: scale it to 0 ... 1")
    return np.clip(image.astype(np.float32), 0, 1)


def _kernel(kernel: NDArray[Any]) -> NDArray[np.float32]:
    """The kernel as float32, checked."""
    kernel = np.asarray(kernel)
    if kernel.shape != (KERNEL_SIZE, KERNEL_SIZE) or kernel.dtype.kind != "f":
        wanted = f"({KERNEL_SIZE}, {KERNEL_SIZE}) floating point"
        raise UsageError(f"a kernel of shape {kernel.shape}, {kernel.dtype}: pass {wanted}")
    total = float(kernel.sum())
    if not (kernel.min() >= 0 and abs(total - 1) < 1e-3):  # NaN is neither
        raise UsageError(f"a kernel from {kernel.min():.4g}, sum {total:.4g}: it must be non-negative, sum 1")
    return kernel.astype(np.float32)
