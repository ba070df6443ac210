"""The solver: any size, differentiable in the kernel, and least squares before it has learned anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.deconvolve import UnknownBorder, unclipped
from kdcli.blur.families import sample
from kdcli.nets.solver import Solver, reliance


def photo(*size: int) -> torch.Tensor:
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.avg_pool2d(noise, 3, 1, 1)


@pytest.fixture
def kernel() -> torch.Tensor:
    return torch.from_numpy(sample("shake", 1, np.random.default_rng(1)))[None]


@pytest.mark.parametrize("size", [(16, 16), (37, 53), (64, 49)])
def test_any_size_comes_back_as_it_went_in(
    solver: Solver, kernel: torch.Tensor, size: tuple[int, int]
) -> None:
    y = photo(*size)
    found = solver(y, kernel, exact=False)
    assert found.shape == y.shape
    assert found.dtype == torch.float32
    model = UnknownBorder(kernel, size)
    _, strong = solver.deconvolve(y, kernel, unclipped(y))
    torch.testing.assert_close(found, model.crop(strong))  # its last layer begins at zero


def test_the_gate_chooses_between_the_restorations(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(37, 53)
    model = UnknownBorder(kernel, (37, 53))
    weak, strong = (model.crop(x) for x in solver.deconvolve(y, kernel, unclipped(y)))
    assert (weak - strong).abs().max() > 0.01
    with torch.no_grad():
        solver.tail.bias.view(6, 16)[:3] = 20.0  # type: ignore[union-attr]
        first, last = solver.turns(y, kernel, exact=False)
        torch.testing.assert_close(first, weak, atol=1e-4, rtol=0)
        assert (last - weak).abs().max() > 1e-3  # the second turn has the pulled image for the weak one
        solver.tail.bias.view(6, 16)[3:] = 0.5  # type: ignore[union-attr]
        torch.testing.assert_close(solver.turns(y, kernel, exact=False)[0], weak + 0.5, atol=1e-2, rtol=0)


def test_a_known_kernel_gets_the_faithful_image(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(40, 40)
    weak, _ = solver.deconvolve(y, kernel, unclipped(y))
    first, last = solver.turns(y, kernel, exact=True)
    torch.testing.assert_close(first, UnknownBorder(kernel, (40, 40)).crop(weak))
    assert not torch.equal(first, last)


def test_a_clear_kernel_is_taken_for_known_further_than_a_smeared_one(
    solver: Solver, kernel: torch.Tensor
) -> None:
    smeared = torch.nn.functional.avg_pool2d(kernel, 9, 1, 4)
    clear, vague = reliance(torch.cat([kernel, smeared]))
    assert 0 <= vague < clear <= 0.7
    y = photo(40, 40)
    torch.testing.assert_close(solver(y, kernel), solver(y, kernel, exact=clear[None]))


def test_the_true_kernel_makes_a_photo_sharper(solver: Solver, kernel: torch.Tensor) -> None:
    sharp = photo(160, 160)
    y = convolve(sharp, kernel, "valid")
    inner = sharp[..., 31 : 31 + y.shape[-2], 31 : 31 + y.shape[-1]]
    model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]))
    weak, strong = (model.crop(x) for x in solver.deconvolve(y, kernel, unclipped(y)))
    blurred, rough, fine = ((x - inner).square().mean() for x in (y, strong, weak))
    assert fine < rough < blurred


def test_differentiable_in_photo_and_kernel(solver: Solver, kernel: torch.Tensor) -> None:
    y, k = photo(24, 24).requires_grad_(), kernel.clone().requires_grad_()
    solver(y, k).square().sum().backward()
    for x in (y, k):
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
        assert x.grad.abs().max() > 1e-3
