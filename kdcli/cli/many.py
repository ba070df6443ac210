"""`kd deblur` on many photos: work them off, say how far it is, and what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from kdcli.cli.engines import Run
from kdcli.cli.total import Total
from kdcli.jobs.inputs import Found
from kdcli.jobs.job import Job, Result, Settings


def deblur_many(
    todo: Sequence[Job],
    skipped: Sequence[Job],
    settings: Settings,
    *,
    run: Run,
    found: Found,
    quiet: bool,
    each: Callable[[Result], None],
) -> None:
    """Do jobs, and report on them on stderr.

    Args:
        skipped: jobs whose outputs were there before.
        run: does them.
        found: what the words stood for: what they meant in vain is warned of, and what is closed a failure.
        each: called with the result of every job.

    Raises:
        typer.Exit: some failed, or could not be found.
    """
    for job in skipped:
        each(Result(job, "skipped"))
    with Total(len(todo), skipped=len(skipped), quiet=quiet) as total:
        for note in found.notes:
            total.warn(note)
        total.failures += found.closed

        def report(result: Result) -> None:
            total.each(result)
            each(result)

        run(todo, settings, each=report, progress=total.stage)
    if total.failures:
        raise typer.Exit(1)
