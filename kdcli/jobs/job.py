"""What an engine for many photos takes and gives: jobs, the settings that they share, and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kdcli.engine.options import Options
from kdcli.files.decoded import MAX_PIXELS
from kdcli.files.place import Place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


BY_PRODUCTS = ("psf", "compare", "preview")


@dataclass(frozen=True)
class Job:
    """One photo in, one photo out.

    Attributes:
        input: the blurred photo; None is stdin.
        output: where the sharp one goes, its folder made if need be; None is stdout.
        psf: where the kernel goes as well, or None.
        compare: where a picture of before and after goes as well, or None.
    """

    input: Place | None
    output: Place | None
    psf: Place | None = None
    compare: Place | None = None

    @property
    def files(self) -> list[Place]:
        """All that is written."""
        return [path for path in (self.output, self.psf, self.compare) if path is not None]

    def by_product(self, what: str) -> Place:
        """`<stem>.<what>.png` beside the output, or in the current folder if that is none."""
        name = f"{self.input.stem if self.input else 'stdin'}.{what}.png"
        return self.output.with_name(name) if self.output else Path(name)


@dataclass(frozen=True, eq=False)
class Settings:
    """What all jobs of a run share.

    Attributes:
        options: how kernels are found.
        device, weights: see `kdcli.weights.load_models`.
        kernel: (64, 64) of sum 1 to restore every photo with, or None to estimate each one's.
        overwrite: whether outputs may replace files.
        skip_existing: whether a kernel or comparison that is there already stays; it is its photo that was
            missing.
        format: of what goes to stdout, one of `kdcli.files.encode.SUFFIXES`; None keeps the photo's.
        quality: see `kdcli.files.photo.write_photo`.
        max_pixels: the largest photo that is opened.
        preview: whether only the most informative 512x512 pixels are restored, and the outputs are pictures
            of them before and after.
        batch: photos that the networks look at together; None is as many as the device likes.
    """

    options: Options
    device: str = "auto"
    weights: str = "default"
    kernel: NDArray[np.float32] | None = None
    overwrite: bool = False
    skip_existing: bool = False
    format: str | None = None
    quality: int | None = None
    max_pixels: int = MAX_PIXELS
    preview: bool = False
    batch: int | None = None


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        job: the job.
        status: "skipped" where the output was there before.
        message: why it failed, in one line.
        changed: whether the photo was altered.
        kernel_width, reblur_loss, confidence, from_camera, patches, warnings: see
            `kdcli.engine.results.Deblurred`.
        grid: rows and columns of the kernels that change across the photo; None where there is one kernel.
        device, weights: what it was done with.
        seconds: by stage, and in "total".
    """

    job: Job
    status: Literal["done", "skipped", "failed"]
    message: str = ""
    changed: bool = False
    kernel: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    kernel_width: int = 0
    reblur_loss: float = float("nan")
    confidence: float = float("nan")
    from_camera: bool = False
    patches: int = 0
    grid: tuple[int, int] | None = None
    device: str = ""
    weights: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
