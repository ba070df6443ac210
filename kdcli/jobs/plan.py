"""From photos to jobs: what each output is called, and whether all of them may be written."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdcli.errors import UsageError
from kdcli.files.encode import SUFFIXES
from kdcli.files.paths import check_output
from kdcli.files.place import Place, existing, is_folder, to_place
from kdcli.files.psf import SUFFIXES as PSF_SUFFIXES
from kdcli.jobs.inputs import Source
from kdcli.jobs.job import BY_PRODUCTS, Job

STDOUT = "-"
BESIDE = ".deblurred"


@dataclass(frozen=True)
class Naming:
    """How the user wants outputs to be called.

    Attributes:
        output: a file, a folder (it exists or ends in a slash), "-" for stdout, or None: beside the inputs.
        suffix: between stem and ending; None is nothing in a folder and ".deblurred" beside the inputs.
        format: the ending, without its dot; None keeps that of the input where kd can write it.
    """

    output: str | None = None
    suffix: str | None = None
    format: str | None = None

    @property
    def folder(self) -> Place | None:
        """The output folder, where it can be told from its name alone."""
        if self.output is None or self.output == STDOUT:
            return None
        place = to_place(self.output)
        return place if self.output.endswith(("/", os.sep)) or is_folder(place) else None


@dataclass(frozen=True)
class Plan:
    """Jobs, and the folder that the outputs go to, if it is one."""

    jobs: list[Job]
    folder: Place | None


def plan(sources: Sequence[Source], naming: Naming, *, skip_existing: bool = False) -> Plan:
    """Name the outputs of some photos.

    A photo that is where the output of another goes, and is called as outputs are, is that output, of a run
    before: it is left out if it was found rather than named, or if a run is taken up where it ended. Where
    outputs are called as photos are, only the latter: `check` then refuses to replace it.

    Raises:
        UsageError: they cannot all go where they should.
    """
    _check_naming(naming, len(sources))
    folder = naming.folder or _implied_folder(sources, naming)
    marked = bool(naming.suffix) or folder is None
    jobs = _each_once((source, Job(source.path, _output(source, naming, folder))) for source in sources)
    makers = {_place(job.output): source for source, job in jobs if job.output}
    by_products = {
        _place(job.by_product(what)): source for source, job in jobs if job.output for what in BY_PRODUCTS
    }

    def is_photo(source: Source) -> bool:
        if source.path is None or (source.named and not skip_existing):
            return True
        place = _place(source.path)
        if by_products.get(place, source) is not source:
            return False
        return makers.get(place, source) is source or not (marked or skip_existing)

    return Plan([job for source, job in jobs if is_photo(source)], folder)


def _each_once(jobs: Iterable[tuple[Source, Job]]) -> list[tuple[Source, Job]]:
    """Without what two words of the command line mean alike."""
    once: dict[tuple[str, str], tuple[Source, Job]] = {}
    for source, job in jobs:
        once.setdefault((str(job.input), str(job.output)), (source, job))
    return list(once.values())


def _check_naming(naming: Naming, count: int) -> None:
    if naming.format is not None and f".{naming.format}" not in SUFFIXES:
        known = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise UsageError(f"--format {naming.format}: use one of {known}")
    if naming.suffix is not None and {"/", os.sep} & set(naming.suffix):
        raise UsageError(f"--suffix {naming.suffix}: it is part of a name and cannot hold a slash")
    if naming.output is None or naming.folder:
        return
    if count > 1 and naming.output == STDOUT:
        raise UsageError(f"{count} photos cannot all go to stdout: name a folder with -o")
    if count > 1 and Path(naming.output).suffix.lower() in SUFFIXES:
        raise UsageError(f"{count} photos cannot all go to {naming.output}: name a folder, as in -o out/")


def _implied_folder(sources: Sequence[Source], naming: Naming) -> Place | None:
    """An output that is no folder yet is meant to be one if its name is no photo's and photos were found."""
    if naming.output is None or naming.output == STDOUT:
        return None
    meant = len(sources) > 1 or not all(source.named for source in sources)
    return to_place(naming.output) if meant and Path(naming.output).suffix.lower() not in SUFFIXES else None


def _output(source: Source, naming: Naming, folder: Place | None) -> Place | None:
    if naming.output == STDOUT or (naming.output is None and source.path is None):
        return None
    if naming.output is not None and folder is None:
        return _single(to_place(naming.output), naming)
    if source.path is None:
        raise UsageError("a photo from stdin has no name: name the output file with -o")
    kept = source.path.suffix if source.path.suffix.lower() in SUFFIXES else ".png"
    ending = kept if naming.format is None else f".{naming.format}"
    if folder is None:
        return source.path.with_name(f"{source.path.stem}{naming.suffix or BESIDE}{ending}")
    return folder / source.below.with_name(f"{source.below.stem}{naming.suffix or ''}{ending}")


def _single(output: Place, naming: Naming) -> Place:
    if naming.suffix is not None:
        raise UsageError(f"--suffix {naming.suffix} has no use where -o names a file: leave one out")
    format = SUFFIXES.get(output.suffix.lower())
    if format is None:
        known = ", ".join(SUFFIXES)
        raise UsageError(
            f"{output}: its ending names no format that kd can write: use one of {known}; or is it a folder? "
            f"{output}/ is one"
        )
    if naming.format is not None and SUFFIXES[f".{naming.format}"] != format:
        raise UsageError(f"--format {naming.format} and {output} name two formats: leave one out")
    return output


def check(
    jobs: Sequence[Job],
    *,
    keep: Iterable[Place] = (),
    overwrite: bool = False,
    skip_existing: bool = False,
    make_folders: bool = False,
) -> tuple[list[Job], list[Job]]:
    """Make sure that all outputs can be written, without writing any.

    Args:
        keep: files that must not be replaced, besides the inputs.
        overwrite: whether files that exist may be replaced.
        skip_existing: whether jobs whose output exists are skipped.
        make_folders: whether missing folders will be made.

    Returns:
        The jobs to do, and those to skip.

    Raises:
        UsageError: two outputs are the same file, one is an input, exists, or cannot be written.
    """
    inputs = {_identity(path): path for path in (*(job.input for job in jobs if job.input), *keep)}
    makers: dict[str, tuple[Job, str]] = {}
    for job in jobs:
        for path, what, suffixes in _outputs(job):
            other, role = makers.setdefault(_place(path), (job, what))
            if other is not job:
                raise UsageError(
                    f"{other.input} and {job.input} would both be written to {path}: "
                    "deblur them one at a time, to names or folders of their own"
                )
            if role != what:
                raise UsageError(f"{path} cannot be both {role} and {what}: name two files")
            clash = inputs.get(_identity(path))
            check_output(
                path, suffixes, inputs=[clash] if clash else [], overwrite=True, make_folder=make_folders
            )
    if skip_existing:
        there = existing(job.output for job in jobs if job.output is not None)
        return [job for job in jobs if job.output not in there], [job for job in jobs if job.output in there]
    if not overwrite:
        there = existing(path for job in jobs for path in job.files)
        _refuse_existing([path for job in jobs for path in job.files if path in there])
    return list(jobs), []


def _refuse_existing(paths: list[Place]) -> None:
    if paths:
        which = f"{paths[0]} exists" if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more exist"
        raise UsageError(f"{which} already: choose another name, or add --overwrite or --skip-existing")


def _outputs(job: Job) -> Iterator[tuple[Place, str, Collection[str]]]:
    if job.output is not None:
        yield job.output, "the photo", SUFFIXES
    if job.psf is not None:
        yield job.psf, "its kernel", PSF_SUFFIXES
    if job.compare is not None:
        yield job.compare, "its comparison", SUFFIXES


def _place(path: Place) -> str:
    """The same for all ways to write a file's path."""
    if not isinstance(path, Path):
        return str(path)
    return os.path.normcase(os.path.realpath(path))


def _identity(path: Place) -> object:
    """The same for all links to a file that exists."""
    if not isinstance(path, Path):
        return str(path)
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return status.st_dev, status.st_ino
