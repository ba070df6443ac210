"""Where the photos of `kd deblur` are worked on: on this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from kdcli.cli.config import typed
from kdcli.errors import UsageError

if TYPE_CHECKING:
    from kdcli.jobs.job import Job, Result, Settings

_WHERE = "Where to work"

Engine = Annotated[
    Literal["local", "ray"],
    typer.Option(
        metavar="local|ray",
        help="This machine, or a Ray cluster: pip install 'kdcli\\[ray]'.",
        rich_help_panel=_WHERE,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="The Ray cluster, with --engine ray; without one, an instance of Ray is started here.",
        show_default="RAY_ADDRESS",
        rich_help_panel=_WHERE,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Photos at once, in processes that share the cores.",
        show_default="1; on a Ray cluster one a GPU, or a machine if there is none",
        rich_help_panel=_WHERE,
    ),
]


class Run(Protocol):
    """Does all jobs: `kdcli.jobs.run.run_jobs`, or the same elsewhere."""

    def __call__(
        self,
        jobs: Sequence[Job],
        settings: Settings,
        *,
        each: Callable[[Result], None],
        progress: Callable[[str, float], None] | None = None,
    ) -> None: ...


def choose(ctx: typer.Context, engine: str, jobs: int | None, ray_address: str | None) -> Run:
    """The engine that the options ask for. A setting may name the cluster for when it is asked for.

    Raises:
        UsageError: they ask for two.
    """
    if engine == "ray":
        from kdcli.jobs.ray_engine import run_jobs_on_ray

        return partial(run_jobs_on_ray, workers=jobs, address=ray_address or None)
    if ray_address and typed(ctx, "ray_address"):
        raise UsageError(f"--ray-address {ray_address} has no use without --engine ray: add it")
    from kdcli.jobs.run import run_jobs

    return partial(run_jobs, processes=jobs or 1)
