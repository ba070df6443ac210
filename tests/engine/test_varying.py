"""Blur that changes across a photo: the grid, the choice between one kernel and many, the restoration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import kdcli.engine.varying as varying
from kdcli.blur.convolve import convolve
from kdcli.blur.families import sample
from kdcli.blur.motion_density import MotionDensity
from kdcli.blur.rotation import RollingShake, rolling_shake
from kdcli.engine.deblur import deblur_image
from kdcli.engine.estimate import Looks
from kdcli.engine.grid import MOST, KernelGrid, agreement, cut, nodes
from kdcli.engine.options import PRESETS, make_options
from kdcli.engine.patches import PATCH
from kdcli.engine.restore import restore, restore_varying
from kdcli.engine.results import UNCERTAIN_WARNING
from kdcli.errors import UsageError
from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.weights import Models

QUICK = replace(PRESETS["fast"], coarse=1, fine=1)


@pytest.fixture(scope="module")
def models() -> Models:
    torch.manual_seed(0)
    kernel = KernelNet(encoder=(16, 16, 16), denoiser=(16, 16, 16))
    solver, judge = Solver(widths=(16, 16, 16)), Judge(photo=(16, 16), kernel=(16, 16))
    return Models(kernel.eval(), solver.eval(), judge.eval(), torch.device("cpu"), "random")


def texture(height: int, width: int) -> torch.Tensor:
    coarse = torch.rand((1, 3, height // 6, width // 6), generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, size=(height, width))


def kernels(count: int) -> torch.Tensor:
    return torch.from_numpy(sample("motion", count, np.random.default_rng(1)))


@pytest.mark.parametrize("size", [(300, 300), (321, 481), (700, 500), (3000, 4000)])
def test_nodes_cover_the_photo_and_are_bounded(size: tuple[int, int]) -> None:
    for side, first in zip(size, nodes(size), strict=True):
        assert 1 <= len(first) <= max(MOST)
        assert all(0 <= place <= side - PATCH for place in first)
        if len(first) > 1:
            assert (first[0], first[-1]) == (0, side - PATCH)
            assert min(np.diff(first)) >= 160
    assert [len(side) for side in nodes(size, (2, 3))] == [2, 3]


def test_patches_lie_where_the_nodes_are() -> None:
    photo = texture(300, 420)
    patches = cut(photo, [0, 44], [0, 164])
    torch.testing.assert_close(patches[3], photo[0, :, 44:, 164:])


def test_agreement_is_one_for_one_kernel_and_heeds_trust() -> None:
    one, other = kernels(2)
    assert agreement(torch.stack([one, one.roll(2, 0), one]), torch.ones(3)) == pytest.approx(1, abs=1e-4)
    mixed = torch.stack([one, one, other])
    low = agreement(mixed, torch.ones(3))
    assert low < agreement(mixed, torch.tensor([1.0, 1.0, 0.1])) < 1


class Exactly(MotionDensity):
    """The motion of a shake that is known."""

    def __init__(self, shake: RollingShake):
        self.shake = shake

    def at(self, row: float, column: float) -> torch.Tensor:
        return torch.from_numpy(self.shake.kernel(row, column))[None, None]


def scene(height: int, width: int) -> torch.Tensor:
    """Random, with less contrast the finer it is, as photos have."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros((1, 3, height, width))
    for size in (4, 8, 16, 32, 64):
        coarse = torch.rand((1, 3, height // size + 1, width // size + 1), generator=generator)
        total += size * torch.nn.functional.interpolate(coarse, size=(height, width))
    return total / total.max()


def test_restored_with_the_kernels_of_its_places_a_rolled_photo_gets_better(models: Models) -> None:
    """By at least 2 dB against its middle kernel everywhere; the kernels are known: nothing else counts."""
    size = (192, 900)
    sharp = scene(*size)
    shake = rolling_shake(np.random.default_rng(5), size, roll=24, shift=5, instants=64)
    blurred = shake.blur(sharp)
    motion = Exactly(shake)
    grid = KernelGrid(np.zeros((1, 2, 64, 64)), (95.5,), (400, 500), 0.5, motion)

    def error(restored: torch.Tensor) -> float:
        return float((restored - sharp).square().mean())

    uniform = restore(models.solver, blurred, motion.at(95.5, 449.5), False, False, lambda _: None)
    varied = restore_varying(models.solver, blurred, grid, (0, 0), lambda _: None)
    assert error(varied) < 10**-0.2 * min(error(uniform), error(blurred))
    part = restore_varying(models.solver, blurred[..., 500:], grid, (0, 500), lambda _: None)
    difference = (part - varied[..., 500:])[..., 64:]
    assert float(difference.abs().mean()) < 0.01  # a part of a photo has the kernels of its place


@pytest.mark.parametrize(
    ("quarters", "nodes_", "changes"), [(0.9, 0.1, False), (0.5, 0.9, False), (0.5, 0.5, True)]
)
def test_auto_takes_one_kernel_where_quarters_or_nodes_agree(
    models: Models, monkeypatch: pytest.MonkeyPatch, quarters: float, nodes_: float, changes: bool
) -> None:
    """On a photo of 2x2 nodes and as many quarters."""
    answers = iter([quarters, nodes_])
    found = kernels(4)[:, None]

    def apart(_network: object, photos: Sequence[torch.Tensor], *_: object) -> list[Looks]:
        """A kernel for each patch, as of photos of their own, whose looks are not fused."""
        assert [len(photo) for photo in photos] == [1] * 4
        return [Looks(kernel, 1.0) for kernel in found.split(1)]

    monkeypatch.setattr(varying, "estimate_kernels", apart)
    monkeypatch.setattr(varying, "agreement", lambda _kernels, _trust: next(answers))
    blurred = convolve(texture(512, 520), kernels(1)[None])[0].permute(1, 2, 0).numpy()
    found = deblur_image(blurred, models, replace(QUICK, blur="auto"), window=(slice(0, 64), slice(0, 64)))
    assert (found.grid is not None) == changes
    assert found.restored.shape == (64, 64, 3)


def test_varying_is_done_where_there_is_room_for_it(models: Models) -> None:
    options = replace(QUICK, blur="varying")
    blurred = convolve(texture(256, 420), kernels(1)[None])[0].permute(1, 2, 0).numpy()
    found = deblur_image(blurred, models, options)
    assert found.grid is not None
    assert found.grid.kernels.shape == (1, 2, 64, 64)
    np.testing.assert_allclose(found.grid.kernels.sum((-2, -1)), 1, atol=1e-5)
    np.testing.assert_array_equal(found.kernel, found.grid.kernels[0, 1])
    assert np.isnan([found.confidence, found.reblur_loss]).all()  # those of the one kernel were others
    assert not any(UNCERTAIN_WARNING in warning for warning in found.warnings)
    assert found.restored.shape == blurred.shape
    small = deblur_image(blurred[:, :300], models, options)
    assert small.grid is None
    assert varying.SMALL_WARNING in small.warnings


def test_uniform_never_looks_across(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("looked across")

    monkeypatch.setattr(varying, "kernel_grid", refuse)
    monkeypatch.setattr(varying, "_look", refuse)
    blurred = texture(512, 520)[0].permute(1, 2, 0).numpy()
    for blur, image in (("uniform", blurred), ("auto", blurred[:300])):
        options = replace(QUICK, blur=blur)  # type: ignore[arg-type]
        assert deblur_image(image, models, options, window=(slice(0, 64), slice(0, 64))).grid is None


def test_an_unknown_kind_of_blur_is_refused() -> None:
    with pytest.raises(UsageError, match="uniform, varying, auto"):
        make_options(blur="rotating")


def test_a_grid_takes_a_photo_of_a_patch(models: Models) -> None:
    with pytest.raises(UsageError, match="256x256"):
        varying.image_grid(np.zeros((200, 400), np.float32), models, QUICK, (2, 2))


def test_a_photo_that_rolled_about_its_middle_is_blurred(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = np.zeros((1, 3, 64, 64), np.float32)
    still[..., 32, 32] = 1
    shake = rolling_shake(np.random.default_rng(5), (256, 420), roll=9, shift=0)
    grid = KernelGrid(still, (128.0,), (128.0, 210.0, 292.0), 0.5, Exactly(shake))
    monkeypatch.setattr(varying, "kernel_grid", lambda *_: grid)
    blurred = convolve(texture(256, 420), kernels(1)[None])[0].permute(1, 2, 0).numpy()
    found = deblur_image(blurred, models, replace(QUICK, blur="varying"))
    assert found.changed
    assert (found.restored != blurred).any()


@pytest.mark.parametrize("more", [{"steps": 3}, {"refine_steps": 2}])
def test_a_grid_is_not_sampled(models: Models, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="neither sampled nor refined"):
        varying.image_grid(np.zeros((256, 400), np.float32), models, replace(QUICK, **more), (2, 2))


def test_a_flat_photo_has_no_kernels_on_a_grid(models: Models) -> None:
    flat = np.full((256, 256), 0.5, np.float32)
    assert not varying.image_grid(flat, models, QUICK, (1, 1)).found
    textured = convolve(texture(256, 256), kernels(1)[None])[0].permute(1, 2, 0).numpy()
    assert varying.image_grid(textured, models, QUICK, (1, 1)).found
