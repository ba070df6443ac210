"""What can be measured."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kdcli.bench.command import Command
from kdcli.bench.dataset import Pair
from kdcli.bench.measures import psnr
from kdcli.bench.methods import Kd, make_method
from kdcli.blur.convolve import convolve
from kdcli.engine.options import PRESETS
from kdcli.errors import KdError, UsageError
from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.weights import Models

OPTIONS = replace(PRESETS["paper"], seed=7)
COPY = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"


@pytest.fixture
def pair() -> Pair:
    """A photo of blocks under a short motion."""
    rng = np.random.default_rng(0)
    blocks = rng.uniform(0.1, 0.9, (24, 24, 3)).repeat(6, 0).repeat(6, 1).astype(np.float32)
    kernel = np.zeros((64, 64), dtype=np.float32)
    kernel[32, 28:37] = 1 / 9
    sharp = torch.from_numpy(blocks).permute(2, 0, 1)[None]
    blurred = convolve(sharp, torch.from_numpy(kernel)[None, None]).clamp(0, 1)
    return Pair("a.png", blocks, np.ascontiguousarray(blurred[0].permute(1, 2, 0).numpy()), kernel)


def models() -> Models:
    net = KernelNet(encoder=(16, 16, 16), denoiser=(16, 16, 16))
    return Models(net, Solver(widths=(16, 16, 16)), Judge(), torch.device("cpu"), "random")


def no_models() -> Models:
    raise AssertionError("this method needs no networks")


def test_identity_gives_the_photo_back(pair: Pair) -> None:
    answer = make_method("identity", OPTIONS, no_models)(pair)
    assert answer.kernel is None
    np.testing.assert_array_equal(answer.restored, pair.blurred)


def test_wiener_restores_with_the_true_kernel(pair: Pair) -> None:
    answer = make_method("wiener", OPTIONS, no_models)(pair)
    assert psnr(answer.restored[32:-32, 32:-32], pair.sharp[32:-32, 32:-32]) > 1 + psnr(
        pair.blurred[32:-32, 32:-32], pair.sharp[32:-32, 32:-32]
    )
    assert answer.kernel is pair.kernel


def test_the_oracle_is_better_still(pair: Pair) -> None:
    oracle, wiener = (make_method(name, OPTIONS, models)(pair) for name in ("oracle", "wiener"))
    assert psnr(oracle.restored, pair.sharp) > psnr(wiener.restored, pair.sharp) + 1


@pytest.mark.parametrize("name", ["oracle", "wiener", "cmd:cat {input} {output} {kernel}"])
def test_methods_that_need_a_true_kernel_say_so(pair: Pair, name: str) -> None:
    with pytest.raises(KdError, match=r"needs true kernels, and a\.png has none"):
        make_method(name, OPTIONS, models)(replace(pair, kernel=None))


def test_variants_change_one_thing() -> None:
    def options(name: str) -> object:
        method = make_method(name, OPTIONS, models)
        assert isinstance(method, Kd)
        return method.options

    assert options("kd") == OPTIONS
    assert options("kd:unguided") == replace(OPTIONS, guidance=0.0)
    assert options("kd:unrefined") == replace(OPTIONS, refine_steps=0)
    assert options("kd:fast") == replace(PRESETS["fast"], seed=7)
    linear = make_method("kd:fast", replace(OPTIONS, light="linear"), models)
    assert isinstance(linear, Kd)
    assert linear.options == replace(PRESETS["fast"], seed=7, light="linear")


@pytest.mark.parametrize("name", ["dwdn", "kd:sharp", "KD", ""])
def test_unknown_methods(name: str) -> None:
    with pytest.raises(UsageError, match="unknown method"):
        make_method(name, OPTIONS, no_models)


def python(script: str, words: str = "{input} {output}") -> Command:
    return Command(f"cmd:'{sys.executable}' -c '{script}' {words}")


def test_another_program_gets_the_photo_and_gives_a_picture(pair: Pair) -> None:
    answer = python(COPY)(pair)
    np.testing.assert_allclose(answer.restored, pair.blurred, atol=0.5 / 255 + 1e-6)
    assert answer.seconds["command"] > 0
    assert answer.kernel is None


def test_another_program_may_have_the_kernel(pair: Pair, tmp_path: Path) -> None:
    kept = tmp_path / "kept.npy"
    script = f'import shutil, sys; shutil.copy(sys.argv[3], "{kept}"); shutil.copy(sys.argv[1], sys.argv[2])'
    python(script, "{input} {output} {kernel}")(pair)
    np.testing.assert_array_equal(np.load(kept), pair.kernel)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; sys.exit(3)", "exited with 3: no message"),
        ('import sys; sys.exit("out of luck")', "exited with 1: out of luck"),
        ("pass", "wrote no {output}"),
        ('import sys; open(sys.argv[2], "w").write("no picture")', "output.png"),
    ],
)
def test_another_program_that_fails(pair: Pair, script: str, message: str) -> None:
    with pytest.raises(KdError, match=message):
        python(script)(pair)


def test_a_picture_of_another_size(pair: Pair) -> None:
    script = "import sys; import imageio.v3 as i; i.imwrite(sys.argv[2], i.imread(sys.argv[1])[:100])"
    with pytest.raises(KdError, match="picture of 144x100 for a photo of 144x144"):
        python(script)(pair)


def test_no_such_program(pair: Pair) -> None:
    with pytest.raises(KdError, match="cannot run /no/such/program"):
        Command("cmd:/no/such/program {input} {output}")(pair)


@pytest.mark.parametrize("template", ["cmd:cp {input}", "cmd:cp {output}", "cmd:cp '{input} {output}"])
def test_templates_that_cannot_work(template: str) -> None:
    with pytest.raises(UsageError):
        make_method(template, OPTIONS, no_models)


def test_a_program_is_called_without_a_shell(pair: Pair, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    command = Command(f"cmd:'{sys.executable}' -c '{COPY}' {{input}} {{output}} ; touch {victim}")
    command(pair)
    assert not victim.exists()
