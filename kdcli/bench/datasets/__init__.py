"""The one door to data sets: those with names, folders, and degraded ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kdcli.bench.dataset import Dataset, load_dataset
from kdcli.bench.datasets.bsd100 import open_bsd100
from kdcli.bench.datasets.degraded import degrade
from kdcli.bench.datasets.demo import open_demo
from kdcli.bench.datasets.kohler import open_kohler
from kdcli.bench.datasets.levin import open_levin
from kdcli.bench.datasets.places import find_data_dir
from kdcli.bench.datasets.realblur import open_realblur
from kdcli.errors import UsageError

NAMED: dict[str, Callable[[Path | None], Dataset]] = {
    "bsd100": open_bsd100,
    "levin": open_levin,
    "kohler": open_kohler,
    "realblur-j": open_realblur,
    "demo": open_demo,
}
"""The data sets with names; each function takes the folder that data sets lie in, or None."""


def open_dataset(
    name: str,
    *,
    data_dir: Path | None = None,
    noise: float = 0.0,
    jpeg: int | None = None,
    kernels: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Open a data set.

    Args:
        name: one of ``NAMED``, or the path of a folder as ``load_dataset`` takes it.
        data_dir: the folder that named sets lie in; the environment variable KD_DATA by default.
        noise, jpeg, kernels, seed: see ``degrade``.

    Raises:
        UsageError: no such set, a part of it is missing, or an option makes no sense; the message says
            where the set's owners offer it.
        KdError: a file is damaged, or a set that is not here cannot be fetched.
    """
    if name in NAMED:
        dataset = NAMED[name](find_data_dir(data_dir))
    elif Path(name).exists() or "/" in name or "\\" in name:
        dataset = load_dataset(Path(name))
    else:
        raise UsageError(f"no data set {name!r}: choose one of {', '.join(NAMED)}, or name a folder")
    return degrade(dataset, noise=noise, jpeg=jpeg, kernels=kernels, seed=seed)
