"""Targets in the place of the estimate: what moves, which way, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.families import sample
from kdcli.blur.kernels import impulse, normalise, shift
from kdcli.engine.estimate import Looks
from kdcli.nets.estimator import KernelNet
from kdcli.training import solver
from kdcli.training.data import Batch
from kdcli.training.place import in_place, moved_image


def some_kernels(count: int) -> torch.Tensor:
    return torch.from_numpy(sample("motion", count, np.random.default_rng(3)))[:, None]


def some_image(count: int) -> torch.Tensor:
    noise = torch.rand(count, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.avg_pool2d(noise, 9, 1, 4)


def test_a_kernel_moved_one_way_blurs_the_image_moved_the_other_way_the_same() -> None:
    kernels, image = some_kernels(4), some_image(4)
    rows, columns = torch.tensor([0.5, -1.25, 2.0, 0.0]), torch.tensor([-0.5, 0.75, -3.0, 0.0])
    moved = convolve(moved_image(image, -rows, -columns), normalise(shift(kernels, rows, columns)))
    inner = (..., slice(40, -40), slice(40, -40))
    before = convolve(image, kernels)
    error = (moved - before)[inner].square().mean((1, 2, 3)).sqrt()
    assert (error < 0.05 * before[inner].std()).all()
    unmoved = (
        (convolve(moved_image(image, -rows, -columns), kernels) - before)[inner].square().mean((1, 2, 3))
    )
    assert (error[:3] < 0.2 * unmoved[:3].sqrt()).all()  # the first assertion is no matter of course


def test_whole_pixels_are_a_roll() -> None:
    kernels = some_kernels(2)
    kernels[..., :4, :], kernels[..., -4:, :], kernels[..., :4], kernels[..., -4:] = 0, 0, 0, 0
    kernels = kernels / kernels.sum((-2, -1), keepdim=True)
    moved = shift(kernels, torch.tensor([3.0, 3.0]), torch.tensor([-2.0, -2.0]))
    torch.testing.assert_close(moved, kernels.roll((3, -2), (-2, -1)), rtol=0, atol=1e-6)


def test_targets_lie_where_the_estimates_lie_unless_these_know_nothing() -> None:
    true, sharp = some_kernels(3), some_image(3)
    there = torch.tensor([1.4, -0.6, 2.0]), torch.tensor([0.7, -1.3, 2.0])
    estimates = normalise(shift(true, *there))
    estimates[2] = impulse()
    moved_sharp, moved_true = in_place(estimates, sharp, true)
    likeness = torch.nn.functional.cosine_similarity(moved_true.flatten(1), estimates.flatten(1))
    assert (likeness[:2] > 0.98).all()
    assert torch.nn.functional.cosine_similarity(true.flatten(1), estimates.flatten(1))[:2].max() < 0.9
    torch.testing.assert_close(moved_true[2], true[2], rtol=0, atol=1e-6)
    torch.testing.assert_close(moved_sharp[2], sharp[2], rtol=0, atol=1e-5)
    wanted = moved_image(sharp, -there[0], -there[1])
    error = (moved_sharp - wanted)[:2, :, 8:-8, 8:-8].abs().mean()
    assert error < 0.3 * (sharp - wanted)[:2, :, 8:-8, 8:-8].abs().mean()


def test_a_solvers_pairs_lie_where_their_estimated_kernels_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    true, sharp = some_kernels(2), some_image(2)
    there = torch.tensor([1.4, -5.6]), torch.tensor([0.7, 3.3])
    found = normalise(shift(true, *there))
    monkeypatch.setattr(solver, "estimate_kernels", lambda *_: [Looks(own, 1.0) for own in found.split(1)])
    monkeypatch.setattr(solver, "settle", lambda _, kernel: kernel)
    monkeypatch.setattr(solver, "finished", lambda kernel: kernel)
    batch = Batch(sharp, convolve(sharp, true), true, torch.zeros(2))
    kernels = solver.SolverTask(KernelNet((8, 8, 8), (16, 16, 16)))._estimate(batch)
    pairs = solver._in_place(batch, kernels)
    inner = (..., slice(40, -40), slice(40, -40))
    error = (convolve(pairs.sharp, pairs.kernel) - batch.blurred)[inner].std((1, 2, 3))
    unmoved = (convolve(sharp, pairs.kernel) - batch.blurred)[inner].std((1, 2, 3))
    assert (error < 0.6 * unmoved).all(), (error, unmoved)  # moved the wrong way, it were twice as large
    assert (torch.stack([kernels.rows, kernels.columns]).abs() <= 0.5).all()
