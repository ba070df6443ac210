"""A training run from its configuration to a weights file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import imageio.v3 as iio
import torch

from kdcli.errors import UsageError
from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.training.checkpoint import CHECKPOINT, Settings
from kdcli.training.data import Batch, PairMaker, load_photos, split_photos
from kdcli.training.judge import JudgeTask
from kdcli.training.kernel import KernelTask
from kdcli.training.loop import Plan, Progress, Task, train_loop
from kdcli.training.solver import SolverTask
from kdcli.training.team import Team, own_device
from kdcli.weights.header import digest, read_metadata
from kdcli.weights.package import write_package
from kdcli.weights.register import UNKNOWN
from kdcli.weights.store import choose_device, fill, save_weights

Network = Literal["kernel", "solver", "judge"]
_ARCHITECTURES = {
    "kernel": "kernel-2",
    "solver": "solver-5",
    "judge": "judge-1",
}  # in kdcli.weights.architectures
Trained = KernelNet | Solver | Judge
_Network = TypeVar("_Network", KernelNet, Solver)


@dataclass(frozen=True)
class TrainConfig:
    """What to train, on what, for how long.

    Attributes:
        network: which one.
        fine: passes at the whole scale a batch; 0 trains half the scale alone, four times as fast.
        photos: folder of sharp photos.
        out: folder of the run.
        budget: seconds.
        steps: the most steps.
        batch: pairs a step.
        lr: learning rate after warm-up.
        family: of the blur kernels.
        size: side of the crops in pixels.
        pool: kernels to draw from.
        init: weights to start from, or None.
        estimator: weights of the kernel network whose kernels the solver learns to bear, or the judge to
            judge; or None, which the judge can't do without.
        solver: weights of the solver by whose restorations the judge learns to judge, or None.
        resume: go on from the run's checkpoint; only ``budget`` and ``steps`` may be others then.
        licence: of the weights, for their model card.
        device, seed: as everywhere.
        command: how the run was asked for, kept in the weights.
    """

    network: Network
    photos: Path
    out: Path
    budget: float
    fine: int = 1
    steps: int = 10**9
    batch: int = 16
    lr: float = 2e-3
    family: str = "mixed"
    size: int = 256
    pool: int = 12_000
    init: Path | None = None
    estimator: Path | None = None
    solver: Path | None = None
    resume: bool = False
    licence: str = UNKNOWN
    device: str = "auto"
    seed: int = 0
    command: str = ""


def train(config: TrainConfig, report: Callable[[Progress, dict[str, float] | None], None]) -> Path:
    """Train a network and write its weights, log, sample sheet and a package for the Hub to the run's folder.

    Returns:
        The weights file.

    Raises:
        UsageError: no photos, a run that exists or was begun with other settings, settings that do not fit.
        KdError: damaged weights, a diverging loss.
    """
    if (config.out / CHECKPOINT).exists() and not config.resume:
        raise UsageError(f"{config.out} holds a run already: add --resume to go on with it")
    if config.size % 32 or config.size < 96:
        raise UsageError(f"the crop size is {config.size}: it must be a multiple of 32, at least 96")
    device = own_device(choose_device(config.device))
    team = Team(device)
    torch.manual_seed(config.seed)
    train_photos, held_photos = split_photos(load_photos(config.photos))
    colour = config.network != "kernel"
    maker = PairMaker(
        train_photos,
        pool=config.pool,
        family=config.family,
        colour=colour,
        size=config.size,
        seed=config.seed + 1,
        device=device,
    )
    held_out = PairMaker(
        held_photos, pool=64, family="motion", colour=colour, seed=2, device=device, clean=True
    ).make(16 if colour else 24)
    maker.part_from(team.rank)
    network, task = _make(config, device)
    plan = Plan(config.budget, config.steps, config.batch, config.lr)
    progress = train_loop(
        network,
        task,
        maker,
        held_out,
        plan,
        config.out,
        settings=_settings(config, len(train_photos) + len(held_photos)),
        seed=config.seed,
        resume=config.resume,
        team=team,
        report=report,
    )
    path = config.out / f"{config.network}.safetensors"
    if team.leads:
        _write(config, path, network, task, held_out, progress, len(train_photos), len(held_photos))
    team.leave()
    return path


def _write(
    config: TrainConfig,
    path: Path,
    network: Trained,
    task: Task,
    held_out: Batch,
    progress: Progress,
    learnt: int,
    held: int,
) -> None:
    """The weights of a run, a sheet of samples, and the package for the Hub."""
    metadata = {
        "architecture": _ARCHITECTURES[config.network],
        "command": config.command,
        "data": f"{learnt} photos of {config.photos.resolve().name}, {config.family} kernels",
        "held_out": f"{len(held_out.kernel)} pairs from {held} photos held out",
        "steps": str(progress.step),
        "commit": _commit(),
    }
    save_weights(network, path, metadata)  # at once: torchrun, asked to stop, waits for 30 s only
    sheet = task.sheet(network, held_out.part(0, 8))
    iio.imwrite(config.out / "samples.png", (sheet.permute(1, 2, 0) * 255).byte().cpu().numpy())
    scores = task.validate(network, held_out)
    metadata["validation"] = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    save_weights(network, path, metadata)
    files = [path, *_teachers(config)]
    write_package(config.out / "upload", files, licence=config.licence, samples=config.out / "samples.png")


def _settings(config: TrainConfig, photos: int) -> Settings:
    """What must be the same when a run goes on, as users call it."""
    return {
        "network": config.network,
        "photos": photos,
        "--fine": config.fine,
        "--batch": config.batch,
        "--lr": config.lr,
        "--kernels": config.family,
        "--size": config.size,
        "--seed": config.seed,
        "--estimator": "none" if config.estimator is None else digest(config.estimator)[:12],
        "--solver": "none" if config.solver is None else digest(config.solver)[:12],
        "kernels to draw from": config.pool,
    }


def _teachers(config: TrainConfig) -> list[Path]:
    """The files of the networks by whose answers this one has learnt, if a package can hold them."""
    given = [path for path in (config.estimator, config.solver) if path is not None]
    return [path for path in given if path.is_file() and "architecture" in read_metadata(path)]


def _make(config: TrainConfig, device: torch.device) -> tuple[Trained, Task]:
    """The network, and what it is trained to do."""
    network: Trained
    task: Task
    if config.network == "kernel":
        network, task = KernelNet(), KernelTask(fine=config.fine)
    elif config.network == "solver":
        estimator = None if config.estimator is None else _ready(KernelNet(), config.estimator, device)
        network, task = Solver(), SolverTask(estimator)
    else:
        if config.estimator is None or config.solver is None:
            raise UsageError("a judge learns by kernels and restored photos: give --estimator and --solver")
        estimator = _ready(KernelNet(), config.estimator, device)
        network, task = Judge(), JudgeTask(estimator, _ready(Solver(), config.solver, device))
    if config.init is not None:
        fill(network, config.init)
    return network.to(device, memory_format=torch.channels_last), task  # type: ignore[call-overload]


def _ready(network: _Network, path: Path, device: torch.device) -> _Network:
    """A network with the weights of a file, which don't learn."""
    fill(network, path)
    network.eval().requires_grad_(False)
    placed: _Network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def _commit() -> str:
    """The commit of the working tree, or "unknown"."""
    call = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
