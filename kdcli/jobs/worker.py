"""What does a job: reads the photo, deblurs it, writes what comes of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.debug import debugging
from kdcli.errors import KdError, explain
from kdcli.files.comparison import write_comparison
from kdcli.files.encode import SUFFIXES
from kdcli.files.photo import Photo, check_fits, encode_photo, parse_photo, read_photo, write_photo
from kdcli.files.place import Place
from kdcli.files.psf import write_psf
from kdcli.files.read_bytes import largest_file
from kdcli.jobs.job import Job, Result, Settings
from kdcli.jobs.pipes import read_stdin, write_stdout
from kdcli.jobs.stopwatch import Stopwatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdcli.engine.deblur import Window
    from kdcli.engine.results import Deblurred
    from kdcli.weights import Models

Progress = Callable[[str, float], None]

GPU_BATCH = 8
_MOST_VALUES = 100_000_000  # of the photos of a batch, which bounds the memory


@dataclass(frozen=True)
class _Opened:
    """A job whose photo has been read."""

    job: Job
    photo: Photo
    window: Window | None
    clock: Stopwatch


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
        opened = self._open(job)

        from kdcli.engine.deblur import deblur_image

        models = self.models(progress)
        opened.clock.lap("load")
        found = deblur_image(
            opened.photo.pixels,
            models,
            self.settings.options,
            kernel=self.settings.kernel,
            window=opened.window,
            progress=progress,
        )
        return self._close(opened, found)

    def attempt(self, job: Job, progress: Progress | None = None) -> Result:
        """Do a job; whatever goes wrong is noted in the result and not raised."""
        return _attempt(job, partial(self.do, job, progress))

    def attempt_all(self, jobs: Iterable[Job], progress: Progress | None = None) -> Iterator[Result]:
        """Do jobs as ``attempt`` does, the networks looking at ``batch`` photos at once."""
        size = self.batch(progress)
        waiting: list[_Opened] = []
        for job in jobs:
            if size == 1:
                yield self.attempt(job, progress)
                continue
            try:
                waiting.append(self._open(job))
            except Exception as error:
                yield _failed(job, error)
            if len(waiting) == size or sum(one.photo.pixels.size for one in waiting) > _MOST_VALUES:
                yield from self._together(waiting, progress)
                waiting = []
        yield from self._together(waiting, progress)

    def batch(self, progress: Progress | None = None) -> int:
        """How many photos the networks look at together: on a GPU several, unless the settings say else."""
        if self.settings.preview:
            return 1
        return self.settings.batch or (GPU_BATCH if str(self.models(progress).device) != "cpu" else 1)

    def _together(self, opened: list[_Opened], progress: Progress | None) -> Iterator[Result]:
        if not opened:
            return
        from kdcli.engine.deblur import deblur_images

        pixels = [one.photo.pixels for one in opened]
        settings = self.settings
        try:
            answers = deblur_images(
                pixels, self.models(), settings.options, kernel=settings.kernel, progress=progress
            )
        except Exception:  # too much at once, or one of them: each by itself shows which
            yield from (self.attempt(one.job, progress) for one in opened)
            return
        for one, answer in zip(opened, answers, strict=True):
            yield _attempt(one.job, partial(self._close, one, answer))

    def _open(self, job: Job) -> _Opened:
        clock = Stopwatch()
        photo = self._read(job)
        if not self.settings.preview:
            check_fits(photo.pixels, self._format(job, photo), str(job.output or "stdout"))
        clock.lap("read")
        return _Opened(job, photo, self._window(photo), clock)

    def _close(self, opened: _Opened, found: Deblurred) -> Result:
        job, photo, clock = opened.job, opened.photo, opened.clock
        if opened.window is not None:
            photo = replace(photo, pixels=photo.pixels[opened.window], alpha=None)
        clock.add(found.seconds)
        lost = self._write(job, found.restored, found.kernel, photo)
        clock.lap("write")
        models = self.models()
        return Result(
            job,
            "done",
            changed=found.changed,
            kernel=found.kernel,
            kernel_width=found.kernel_width,
            reblur_loss=found.reblur_loss,
            confidence=found.confidence,
            from_camera=found.from_camera,
            patches=found.patches,
            grid=None if found.grid is None else (len(found.grid.rows), len(found.grid.columns)),
            device=str(models.device),
            weights=models.name,
            seconds=clock.seconds(),
            warnings=[*photo.notes, *found.warnings, *lost],
        )

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

        def draw(path: Place) -> None:
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

    def _is_missing(self, by_product: Place) -> bool:
        return not (self.settings.skip_existing and by_product.exists())


def _attempt(job: Job, do: Callable[[], Result]) -> Result:
    try:
        return do()
    except Exception as error:
        return _failed(job, error)


def _failed(job: Job, error: Exception) -> Result:
    if debugging():
        traceback.print_exception(error)
    name, reason = str(job.input), explain(error)
    return Result(job, "failed", message=reason if name in reason else f"{name}: {reason}")


def _make_folder(folder: Place) -> None:
    if not isinstance(folder, Path):
        return  # stores have none, and what else has makes them when it writes
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KdError(f"cannot make the folder {folder}: {error.strerror or error}") from error
