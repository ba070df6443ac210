"""What the engine answers: a kernel, a restored photo, and how they were found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kdcli.engine.grid import KernelGrid

FLAT_WARNING = "the photo has no edges to estimate a blur from: it is returned unchanged"
UNCERTAIN_WARNING = "the kernel is uncertain"


@dataclass
class KernelEstimate:
    """A blur kernel and how it was found.

    Attributes:
        kernel: (64, 64) float32, sum 1; with a grid that of its middle.
        kernel_width: its extent in pixels.
        reblur_loss: mean squared error of the best patch, restored as if the kernel were all but known and
            blurred again; NaN where there is none, as with a grid.
        patches: how many were looked at.
        seconds: by stage.
        warnings: what the user should know, a line each.
        residuals: a curve for every patch and sample of the mean squared reblurring error, over the sampling
            steps or, where there are none, the turns (as the paper's Figure 5); ``Options.residuals``.
        found: whether there was anything to estimate from; if not, the kernel is that of no blur.
        confidence: how similar (MNC) the kernel can be expected to be to the true one, in [0, 1]; NaN where
            there is no estimate, and with a grid.
        grid: the kernels across the photo, where the blur changes; None where one is enough.
        from_camera: whether the photo is straight from a camera: soft, as its kernel tells, and with a
            sensor's noise.
    """

    kernel: np.ndarray
    kernel_width: int
    reblur_loss: float
    patches: int
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    residuals: list[list[float]] = field(default_factory=list)
    found: bool = True
    confidence: float = float("nan")
    grid: KernelGrid | None = None
    from_camera: bool = False


@dataclass
class Deblurred:
    """A restored photo with the kernel it was restored with.

    Attributes:
        restored: float32 in [0, 1], of the photo's shape or of the part's that was to be restored.
        changed: False where the photo was returned as it was.
        kernel, kernel_width, reblur_loss, patches, seconds, warnings, residuals, confidence, grid,
            from_camera: as in ``KernelEstimate``.
    """

    restored: np.ndarray
    kernel: np.ndarray
    kernel_width: int
    reblur_loss: float
    patches: int
    changed: bool
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    residuals: list[list[float]] = field(default_factory=list)
    confidence: float = float("nan")
    grid: KernelGrid | None = None
    from_camera: bool = False
