"""The solver: any size, differentiable in the kernel, and least squares before it has learned anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.deconvolve import UnknownBorder
from kdcli.blur.families import sample
from kdcli.blur.noise import noise_level
from kdcli.nets.solver import ESTIMATED, Solver


def photo(*size: int) -> torch.Tensor:
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.avg_pool2d(noise, 3, 1, 1)


def deconvolved(solver: Solver, y: torch.Tensor, kernel: torch.Tensor, exact: bool) -> list[torch.Tensor]:
    """The arguments of ``Solver.turns``."""
    known, noise = solver.known(kernel, exact), noise_level(y)
    return [y, kernel, known, noise, *solver.deconvolve(y, kernel, known, noise)]


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
    first = solver.turns(*deconvolved(solver, y, kernel, False))[0]
    faithful, smooth = (model.crop(x) for x in deconvolved(solver, y, kernel, False)[-2:])
    torch.testing.assert_close(first, (faithful + smooth) / 2)  # its last layer begins at zero
    assert found.isfinite().all()


def test_the_gate_chooses_between_the_restorations(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(37, 53)
    model = UnknownBorder(kernel, (37, 53))
    given = deconvolved(solver, y, kernel, False)
    weak, strong = (model.crop(x) for x in given[-2:])
    assert (weak - strong).abs().max() > 0.01
    with torch.no_grad():
        solver.tail.bias.view(6, 16)[:3] = 20.0  # type: ignore[union-attr]
        first, last = solver.turns(*given)
        torch.testing.assert_close(first, strong + 1.5 * (weak - strong), atol=1e-4, rtol=0)
        assert (last - weak).abs().max() > 1e-3  # the second turn has the pulled image for the weak one
        solver.tail.bias.view(6, 16)[3:] = 0.5  # type: ignore[union-attr]
        torch.testing.assert_close(
            solver.turns(*given)[0], strong + 1.5 * (weak - strong) + 0.5, atol=1e-2, rtol=0
        )


def test_a_known_kernel_gets_the_faithful_image(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(40, 40)
    given = deconvolved(solver, y, kernel, True)
    weak = given[-2]
    first, last = solver.turns(*given)
    torch.testing.assert_close(first, UnknownBorder(kernel, (40, 40)).crop(weak))
    assert not torch.equal(first, last)


def test_an_estimated_kernel_is_neither_known_nor_unknown(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(40, 40)
    found = [solver(y, kernel, exact=known) for known in (0.0, ESTIMATED, 1.0)]
    torch.testing.assert_close(solver(y, kernel), found[1], rtol=0, atol=0)
    assert (found[0] - found[1]).abs().max() > 1e-3 < (found[2] - found[1]).abs().max()


def test_a_part_is_restored_with_the_noise_of_the_whole(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(40, 40)
    torch.testing.assert_close(solver(y, kernel, noise=noise_level(y)), solver(y, kernel), rtol=0, atol=0)
    assert not torch.equal(solver(y, kernel, noise=2 * noise_level(y)), solver(y, kernel))


def test_the_true_kernel_makes_a_photo_sharper(solver: Solver, kernel: torch.Tensor) -> None:
    sharp = photo(160, 160)
    y = convolve(sharp, kernel, "valid")
    inner = sharp[..., 31 : 31 + y.shape[-2], 31 : 31 + y.shape[-1]]
    model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]))
    weak, strong = (model.crop(x) for x in deconvolved(solver, y, kernel, True)[-2:])
    blurred, rough, fine = ((x - inner).square().mean() for x in (y, strong, weak))
    assert fine < rough < blurred


def test_differentiable_in_photo_and_kernel(solver: Solver, kernel: torch.Tensor) -> None:
    y, k = photo(24, 24).requires_grad_(), kernel.clone().requires_grad_()
    solver(y, k).square().sum().backward()
    for x in (y, k):
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
        assert x.grad.abs().max() > 1e-3
