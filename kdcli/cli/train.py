"""`kd train kernel|solver|judge`: weights of one's own from a folder of sharp photos."""

from __future__ import annotations

import re
import shlex
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from kdcli.blur.names import FamilyName
from kdcli.cli import arguments as args
from kdcli.errors import UsageError

if TYPE_CHECKING:
    from kdcli.training.loop import Progress


class Network(str, Enum):
    """The networks."""

    kernel = "kernel"
    solver = "solver"
    judge = "judge"


def seconds(budget: str) -> float:
    """Seconds of "90m", "2h", "45s", "1h30m".

    Raises:
        UsageError: anything else.
    """
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", budget.strip())
    total = (
        sum(int(n or 0) * unit for n, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    )
    if not total:
        raise UsageError(f"--budget {budget}: write a time such as 90m, 2h or 1h30m")
    return float(total)


def train(
    network: Annotated[Network, typer.Argument(help="Which network.", show_default=False)],
    photos: Annotated[Path, typer.Option(help="Folder of sharp photos.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.", show_default=False)],
    budget: Annotated[str, typer.Option(help="Time to train for, such as 90m or 2h.")] = "90m",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many steps.", show_default="no limit")
    ] = None,
    fine: Annotated[
        int,
        typer.Option(min=0, help="Passes at the whole scale a batch; 0 trains half the scale only, fast."),
    ] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Pairs a step.")] = 16,
    lr: Annotated[float, typer.Option(help="Learning rate after warm-up.")] = 2e-3,
    kernels: Annotated[
        FamilyName, typer.Option(metavar="|".join(get_args(FamilyName)), help="Kinds of blur.")
    ] = "mixed",
    size: Annotated[int, typer.Option(help="Side of the training crops in pixels.")] = 256,
    init: Annotated[
        str | None,
        typer.Option(
            "--init", "--weights", metavar=args.WEIGHTS, help="Weights to start from.", show_default="none"
        ),
    ] = None,
    estimator: Annotated[
        str | None,
        typer.Option(
            metavar=args.WEIGHTS,
            help="Weights whose kernels the solver learns to bear, or the judge to judge; uploaded with it.",
            show_default="none",
        ),
    ] = None,
    solver: Annotated[
        str | None,
        typer.Option(
            metavar=args.WEIGHTS,
            help="Weights by whose restored photos the judge learns to judge.",
            show_default="none",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="Of the weights, for their model card: that of the photos decides.")
    ] = "not stated",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on from the run's last checkpoint; only --budget and --steps may change."
        ),
    ] = False,
    device: args.Device = "auto",
    seed: args.Seed = 0,
    quiet: args.Quiet = False,
) -> None:
    """Train one of the networks. Ctrl-C saves a checkpoint and the weights so far.

    OUT/upload is ready for kd weights push: weights, config.json, and a model card with what was measured.
    """
    args.check_device(device)
    if not photos.is_dir():
        raise UsageError(f"{photos} is no folder: --photos wants a folder of sharp photos")
    limit = seconds(budget)

    from kdcli.training.run import TrainConfig
    from kdcli.training.run import train as run
    from kdcli.weights.source import network_file

    config = TrainConfig(
        network=network.value,
        photos=photos,
        out=out,
        budget=limit,
        fine=fine,
        batch=batch,
        lr=lr,
        family=kernels,
        size=size,
        init=None if init is None else network_file(init, network.value),
        estimator=None if estimator is None else network_file(estimator, "kernel"),
        solver=None if solver is None else network_file(solver, "solver"),
        licence=licence,
        resume=resume,
        device=device,
        seed=seed,
        command=shlex.join(["kd", *sys.argv[1:]]),
    )
    if steps is not None:
        from dataclasses import replace

        config = replace(config, steps=steps)
    if quiet:
        run(config, lambda _progress, _scores: None)
        return
    live = sys.stderr.isatty()

    def report(progress: Progress, scores: dict[str, float] | None) -> None:
        minutes = f"{progress.seconds / 60:.1f} of {limit / 60:.0f} min"
        line = f"step {progress.step}  {minutes}  loss {progress.loss:.4f}"
        if scores:
            words = "  ".join(f"{name} {score:.3f}" for name, score in scores.items())
            print(f"\r{line}  {words}", file=sys.stderr, flush=True)
        elif live:
            print(f"\r{line}", end="", file=sys.stderr, flush=True)

    path = run(config, report)
    print(f"\nkd: wrote {path}, and {out / 'upload'} for kd weights push", file=sys.stderr)
