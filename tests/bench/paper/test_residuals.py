"""The residual over the steps, from the engine to the results of ``kd bench``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from kdcli import cli
from kdcli.bench import bench
from kdcli.bench.dataset import Pair
from kdcli.bench.run import BenchConfig, run_bench
from kdcli.bench.tables import to_csv
from kdcli.engine.options import PRESETS, Options
from kdcli.errors import KdError
from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.weights import Models

TURNS = replace(PRESETS["fast"], coarse=1, fine=2, residuals=True)
GUIDED = replace(TURNS, steps=2, guidance=0.1, residuals=False)


@dataclass(frozen=True)
class OneBlurred:
    """One pair of blocks."""

    name: str = "blocks"
    names: tuple[str, ...] = ("a.png",)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Pair:
        blocks = np.random.default_rng(0).uniform(size=(24, 24, 3)).repeat(8, 0).repeat(8, 1)
        sharp = blocks.astype(np.float32)
        kernel = np.zeros((64, 64), dtype=np.float32)
        kernel[32, 31:34] = 1 / 3
        blurred = sum(np.roll(sharp, shift, 1) for shift in (-1, 0, 1)) / np.float32(3)
        return Pair("a.png", sharp, blurred, kernel)


@pytest.mark.parametrize(("options", "points"), [(TURNS, 3), (GUIDED, 2)])
def test_results_have_curves_and_no_mean_of_them(
    monkeypatch: pytest.MonkeyPatch, options: Options, points: int
) -> None:
    torch.manual_seed(0)
    nets = KernelNet(encoder=(16, 16, 16), denoiser=(16, 16, 16)), Solver(widths=(16, 16, 16))
    models = Models(nets[0].eval(), nets[1].eval(), Judge().eval(), torch.device("cpu"), "random")
    monkeypatch.setattr(bench, "load_models", lambda *_: models)
    result = run_bench(OneBlurred(), BenchConfig(("identity", "kd"), options, device="cpu"))  # type: ignore[arg-type]
    identity, kd = result["methods"]
    assert "residuals" not in identity["images"][0]
    (curve,) = kd["images"][0]["residuals"]
    assert len(curve) == points
    assert all(0 < value < 1 for value in curve)
    assert "residuals" not in kd["mean"]
    assert "residuals" not in to_csv(result)
    assert result["options"]["residuals"] == options.residuals


@pytest.mark.parametrize("flags", [(), ("--residuals",)])
def test_the_command_line_asks_for_them(monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]) -> None:
    seen: list[BenchConfig] = []

    def stop(_pairs: object, config: BenchConfig, **_: object) -> None:
        seen.append(config)
        raise KdError("enough")

    monkeypatch.setattr("kdcli.bench.run.run_bench", stop)
    assert cli.run(["bench", "--dataset", "demo", "-q", *flags]) == 1
    assert [config.options.residuals for config in seen] == [bool(flags)]
