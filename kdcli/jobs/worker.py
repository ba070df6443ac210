"""What does a job: reads the photo, deblurs it, writes what comes of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.debug import debugging
from kdcli.errors import KdError, explain
from kdcli.files.comparison import write_comparison
from kdcli.files.encode import SUFFIXES
from kdcli.files.photo import Photo, check_fits, encode_photo, parse_photo, read_photo, write_photo
from kdcli.files.psf import write_psf
from kdcli.files.read_bytes import largest_file
from kdcli.jobs.job import Job, Result, Settings
from kdcli.jobs.pipes import read_stdin, write_stdout
from kdcli.jobs.stopwatch import Stopwatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdcli.engine.deblur import Window
    from kdcli.weights import Models

Progress = Callable[[str, float], None]


class Worker:
    """Does jobs one after another, with networks that are loaded once, when first needed."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._models: Models | None = None

    def models(self, progress: Progress | None = None) -> Models:
        """The networks; `progress` is called where they have to be downloaded.

        Raises:
            UsageError, KdError: the device or the weights can't be had.
        """
        if self._models is None:
            from kdcli.weights import load_models

            self._models = load_models(self.settings.device, self.settings.weights, progress)
        return self._models

    def do(self, job: Job, progress: Progress | None = None) -> Result:
        """Do a job.

        The photo is written last: where it is, what is written besides is too.

        Args:
            progress: called with a stage's name and the fraction of it that is done.

        Raises:
            KdError: the photo can't be read, deblurred or written; and whatever else the engine raises.
        """
        clock = Stopwatch()
        blurred = self._read(job)
        if not self.settings.preview:
            check_fits(blurred.pixels, self._format(job, blurred), str(job.output or "stdout"))
        clock.lap("read")

        from kdcli.engine.deblur import deblur_image

        models = self.models(progress)
        clock.lap("load")
        window = self._window(blurred)
        found = deblur_image(
            blurred.pixels,
            models,
            self.settings.options,
            kernel=self.settings.kernel,
            window=window,
            progress=progress,
        )
        if window is not None:
            blurred = replace(blurred, pixels=blurred.pixels[window], alpha=None)
        clock.add(found.seconds)
        lost = self._write(job, found.restored, found.kernel, blurred)
        clock.lap("write")
        return Result(
            job,
            "done",
            changed=found.changed,
            kernel=found.kernel,
            kernel_width=found.kernel_width,
            reblur_loss=found.reblur_loss,
            confidence=found.confidence,
            patches=found.patches,
            device=str(models.device),
            weights=models.name,
            seconds=clock.seconds(),
            warnings=[*blurred.notes, *found.warnings, *lost],
        )

    def attempt(self, job: Job, progress: Progress | None = None) -> Result:
        """Do a job; whatever goes wrong is noted in the result and not raised."""
        try:
            return self.do(job, progress)
        except Exception as error:
            if debugging():
                traceback.print_exc()
            name, reason = str(job.input), explain(error)
            return Result(job, "failed", message=reason if name in reason else f"{name}: {reason}")

    def _read(self, job: Job) -> Photo:
        most = self.settings.max_pixels
        if job.input is None:
            return parse_photo(read_stdin(largest_file(most)), "stdin", most)
        return read_photo(job.input, most)

    def _format(self, job: Job, blurred: Photo) -> str:
        """Of the photo that will be written."""
        if job.output is not None:
            return SUFFIXES[job.output.suffix.lower()]
        return self.settings.format or (blurred.format if blurred.format in SUFFIXES.values() else "PNG")

    def _window(self, photo: Photo) -> Window | None:
        if not self.settings.preview:
            return None
        from kdcli.engine.preview import preview_window

        return preview_window(photo.pixels)

    def _write(
        self, job: Job, restored: NDArray[np.float32], kernel: NDArray[np.float32], blurred: Photo
    ) -> list[str]:
        settings = self.settings
        for path in job.files:
            _make_folder(path.parent)

        def draw(path: Path) -> None:
            write_comparison(
                path, blurred.pixels, restored, kernel, icc=blurred.icc, overwrite=settings.overwrite
            )

        if settings.preview and job.output is not None:
            draw(job.output)
            return []
        if job.psf is not None and self._is_missing(job.psf):
            write_psf(job.psf, kernel, overwrite=settings.overwrite)
        if job.compare is not None and self._is_missing(job.compare):
            draw(job.compare)
        if job.output is not None:
            return write_photo(
                job.output, restored, like=blurred, quality=settings.quality, overwrite=settings.overwrite
            )
        format = self._format(job, blurred)
        data, lost = encode_photo(restored, format, like=blurred, quality=settings.quality, name="stdout")
        write_stdout(data)
        return lost

    def _is_missing(self, by_product: Path) -> bool:
        return not (self.settings.skip_existing and by_product.exists())


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KdError(f"cannot make the folder {folder}: {error.strerror or error}") from error
