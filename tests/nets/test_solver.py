"""The solver: any size, differentiable in the kernel, and least squares before it has learned anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.deconvolve import UnknownBorder
from kdcli.blur.families import sample
from kdcli.blur.noise import ROUNDING, noise_level
from kdcli.nets import prior
from kdcli.nets.prior import _VIEW
from kdcli.nets.solver import CLEAN, NOISY, Observation, Solver, estimated, given


def photo(*size: int) -> torch.Tensor:
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.avg_pool2d(noise, 3, 1, 1)


def observed(solver: Solver, y: torch.Tensor, kernel: torch.Tensor, exact: bool) -> Observation:
    return Observation.of(y, kernel, solver.known(kernel, exact), noise_level(y, kernel))


def deconvolved(solver: Solver, y: torch.Tensor, kernel: torch.Tensor, exact: bool) -> list[torch.Tensor]:
    """The faithful and the smooth restoration on the canvas."""
    return solver.deconvolve(observed(solver, y, kernel, exact))


def turns(
    solver: Solver, y: torch.Tensor, kernel: torch.Tensor, exact: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The first and the last image."""
    seen = observed(solver, y, kernel, exact)
    restorations = solver.deconvolve(seen)
    images = [solver.first_turn(seen, restorations)]
    first = seen.model.crop(images[0])
    last = solver.second_turn(seen, images)
    assert not restorations
    assert not images
    return first, last


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
    first = turns(solver, y, kernel, False)[0]
    faithful, smooth = (model.crop(x) for x in deconvolved(solver, y, kernel, False))
    torch.testing.assert_close(first, (faithful + smooth) / 2)  # its last layer begins at zero
    assert found.isfinite().all()


def test_the_gate_chooses_between_the_restorations(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(37, 53)
    model = UnknownBorder(kernel, (37, 53))
    weak, strong = (model.crop(x) for x in deconvolved(solver, y, kernel, False))
    assert (weak - strong).abs().max() > 0.01
    with torch.no_grad():
        solver.prior.tail.bias.view(7, 16)[:3] = 20.0  # type: ignore[union-attr]
        first, last = turns(solver, y, kernel, False)
        torch.testing.assert_close(first, strong + 1.5 * (weak - strong), atol=1e-4, rtol=0)
        assert (last - weak).abs().max() > 1e-3  # the second turn has the pulled image for the weak one
        solver.prior.tail.bias.view(7, 16)[3:6] = 0.5  # type: ignore[union-attr]
        torch.testing.assert_close(
            turns(solver, y, kernel, False)[0], strong + 1.5 * (weak - strong) + 0.5, atol=1e-2, rtol=0
        )


def test_a_known_kernel_gets_the_faithful_image(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(40, 40)
    weak, _ = deconvolved(solver, y, kernel, True)
    first, last = turns(solver, y, kernel, True)
    torch.testing.assert_close(first, UnknownBorder(kernel, (40, 40)).crop(weak))
    assert not torch.equal(first, last)


def test_a_known_kernel_says_the_most_where_rounding_is_all_the_noise(
    solver: Solver, kernel: torch.Tensor
) -> None:
    y = (convolve(photo(160, 160), kernel, "valid") * 255).round() / 255
    model, known = UnknownBorder(kernel, (y.shape[-2], y.shape[-1])), solver.known(kernel, 1.0)

    def unexplained(times: float) -> float:
        noise = torch.full((1, 1, 1, 1), times * ROUNDING)
        faithful, _ = solver.deconvolve(Observation.of(y, kernel, known, noise))
        again = model.crop(model.image(model.transform(faithful) * model.otf))
        return float((again - y).square().mean())

    assert unexplained(1.0) < 0.8 * unexplained(1.01)  # told of any other noise, it holds back


def test_an_estimated_kernel_is_neither_known_nor_unknown(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(40, 40)
    trust = float(estimated(noise_level(y)))
    found = [solver(y, kernel, known, noise_level(y)) for known in (0.0, trust, 1.0)]
    torch.testing.assert_close(solver(y, kernel), found[1], rtol=0, atol=0)
    assert (found[0] - found[1]).abs().max() > 1e-3 < (found[2] - found[1]).abs().max()


def test_the_noisier_the_photo_the_less_its_kernel_is_known() -> None:
    noise = ROUNDING * torch.tensor([1.0, 1.1, 1.2, 1.25, 9.0])[:, None, None, None]
    trust = estimated(noise)[:, 0, 0, 0].tolist()
    assert trust == pytest.approx([CLEAN, 0.86, 0.82, NOISY, NOISY])


def test_a_given_kernel_is_known_wholly_only_where_rounding_is_all_the_noise() -> None:
    noise = ROUNDING * torch.tensor([1.0, 1.0 + 1e-6, 1.125, 1.25, 9.0])[:, None, None, None]
    assert given(noise).tolist() == pytest.approx([1.0, 1.0, 0.95, 0.9, 0.9])
    assert given(noise).tolist()[:2] == [1.0, 1.0]  # exactly: less than that takes another way


def test_a_part_is_restored_with_the_noise_of_the_whole(solver: Solver, kernel: torch.Tensor) -> None:
    y = photo(40, 40)
    noise = noise_level(y)
    torch.testing.assert_close(solver(y, kernel, noise=noise), solver(y, kernel), rtol=0, atol=0)
    assert not torch.equal(solver(y, kernel, noise=2 * noise), solver(y, kernel))


def test_the_true_kernel_makes_a_photo_sharper(solver: Solver, kernel: torch.Tensor) -> None:
    sharp = photo(160, 160)
    y = convolve(sharp, kernel, "valid")
    inner = sharp[..., 31 : 31 + y.shape[-2], 31 : 31 + y.shape[-1]]
    model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]))
    weak, strong = (model.crop(x) for x in deconvolved(solver, y, kernel, True))
    blurred, rough, fine = ((x - inner).square().mean() for x in (y, strong, weak))
    assert fine < rough < blurred


def test_differentiable_in_photo_and_kernel(solver: Solver, kernel: torch.Tensor) -> None:
    y, k = photo(24, 24).requires_grad_(), kernel.clone().requires_grad_()
    solver(y, k).square().sum().backward()
    for x in (y, k):
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
        assert x.grad.abs().max() > 1e-3


def test_what_the_network_is_unsure_of_is_pulled_back_to_the_photo(
    solver: Solver, kernel: torch.Tensor
) -> None:
    y = photo(64, 64)

    def unexplained(sure: float) -> float:
        """What the last image leaves of the photo, blurred again; the network's image is grey."""
        with torch.no_grad():
            solver.prior.tail.bias.view(7, 16)[3:6] = 0.3  # type: ignore[union-attr]
            solver.prior.tail.bias.view(7, 16)[6] = sure  # type: ignore[union-attr]
            last = turns(solver, y, kernel, True)[1]
        return float((convolve(last, kernel) - y)[..., 16:-16, 16:-16].square().mean())

    assert unexplained(-9.0) < 0.5 * unexplained(0.0) < 0.25 * unexplained(9.0)


@pytest.mark.parametrize("exact", [False, True])
def test_large_photos_in_parts_are_as_in_one(
    solver: Solver, kernel: torch.Tensor, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = photo(48, 700)
    with torch.no_grad():
        for weight in solver.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    said: list[float] = []
    whole = solver(y, kernel, exact=exact)
    monkeypatch.setattr(prior, "_PART", 2 * _VIEW + 64)
    parts = solver(y, kernel, exact=exact, progress=said.append)
    torch.testing.assert_close(parts, whole, atol=1e-3, rtol=0)  # bfloat16 in other sums
    assert said == sorted(said)
    assert len(said) > 20
    assert said[-1] == 1
