"""The unknown-border model and its solver, against dense linear algebra on a problem of 120 unknowns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur import deconvolve
from kdcli.blur.deconvolve import (
    UnknownBorder,
    conjugate_gradients,
    fast_size,
    laplacian_spectrum,
    pull_towards,
    solve,
    unclipped,
)
from kdcli.blur.sparse import restore_sparse

SIZE = (6, 7)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def kernel() -> torch.Tensor:
    k = rand(1, 1, 4, 4, seed=1)
    return k / k.sum()


@pytest.fixture
def model(kernel: torch.Tensor) -> UnknownBorder:
    return UnknownBorder(kernel, SIZE)


def blur_matrix(kernel: np.ndarray, canvas: tuple[int, int]) -> np.ndarray:
    """The rows of crop(k * x), x on the canvas: taps set one by one."""
    rows = np.zeros((*SIZE, *canvas))
    for i in range(SIZE[0]):
        for j in range(SIZE[1]):
            for r in range(4):
                for c in range(4):
                    rows[i, j, 2 + i - (r - 2), 2 + j - (c - 2)] += kernel[r, c]
    return rows.reshape(SIZE[0] * SIZE[1], -1)


def gradient_matrix(canvas: tuple[int, int]) -> np.ndarray:
    """Circular forward differences along both directions."""
    basis = np.eye(canvas[0] * canvas[1]).reshape(-1, *canvas)
    parts = [np.roll(basis, -1, axis) - basis for axis in (1, 2)]
    return np.concatenate([part.reshape(len(basis), -1).T for part in parts])


@pytest.mark.parametrize("weighted", [False, True])
def test_conjugate_gradients_reach_the_least_squares_solution(kernel: torch.Tensor, weighted: bool) -> None:
    y, strength = rand(1, 2, *SIZE), 0.02
    weight = (rand(1, 1, *SIZE, seed=2) * 1.5).clamp(max=1).round(decimals=1) if weighted else None
    canvas = UnknownBorder(kernel, SIZE).canvas
    a, d = blur_matrix(kernel[0, 0].numpy(), canvas), gradient_matrix(canvas)
    w2 = np.ones(a.shape[0]) if weight is None else weight.numpy().ravel() ** 2
    normal = a.T @ (w2[:, None] * a) + strength * d.T @ d
    wanted = np.linalg.solve(normal, a.T @ (w2[:, None] * y[0].reshape(2, -1).numpy().T)).T
    found = conjugate_gradients(y, UnknownBorder(kernel, SIZE, weight), strength=strength, steps=150)
    np.testing.assert_allclose(found[0].reshape(2, -1), wanted, atol=1e-5)


@pytest.mark.parametrize("everywhere", [True, False])
def test_the_data_step_reaches_its_solution(
    kernel: torch.Tensor, model: UnknownBorder, everywhere: bool
) -> None:
    y, guess = rand(1, 2, *SIZE), rand(1, 2, *model.canvas, seed=8)
    strength = torch.full((1, 1, 1, 1), 0.03, dtype=torch.float64)
    if not everywhere:
        strength = 0.02 + 0.05 * rand(1, 1, *model.canvas, seed=9)
    a, pull = (
        blur_matrix(kernel[0, 0].numpy(), model.canvas),
        strength.expand(1, 1, *model.canvas).numpy().ravel(),
    )
    flat = guess[0].reshape(2, -1).numpy()
    right = a.T @ y[0].reshape(2, -1).numpy().T + pull[:, None] * flat.T
    wanted = np.linalg.solve(a.T @ a + np.diag(pull), right).T
    found = pull_towards(y, model, guess, strength=strength, steps=100)
    np.testing.assert_allclose(found[0].reshape(2, -1), wanted, atol=1e-6)


@pytest.mark.parametrize("weights", [0, 1, 2])
def test_channels_one_by_one_are_as_together(
    kernel: torch.Tensor, weights: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, strength = rand(1, 2, *SIZE), torch.full((1, 1, 1, 1), 0.03, dtype=torch.float64)
    weight = rand(1, weights, *SIZE, seed=2) if weights else None
    model = UnknownBorder(kernel, SIZE, weight)
    guess = rand(1, 2, *model.canvas, seed=8)

    def restored() -> list[torch.Tensor]:
        return [
            conjugate_gradients(y, model, strength=strength, steps=4),
            pull_towards(y, model, guess, strength=strength, steps=4),
            restore_sparse(y, model, strength=strength, rounds=2, steps=4),
        ]

    together = restored()
    monkeypatch.setattr(deconvolve, "_TOGETHER", 0)
    for one, other in zip(together, restored(), strict=True):
        torch.testing.assert_close(one, other)


def test_pasting_changes_the_photos_part_alone(model: UnknownBorder) -> None:
    canvas, y = rand(1, 2, *model.canvas), rand(1, 2, *SIZE, seed=4)
    pasted = model.paste(y, canvas)
    torch.testing.assert_close(model.crop(pasted), y)
    changed = (pasted != canvas).any(1)[0]
    assert int(changed.sum()) <= SIZE[0] * SIZE[1]


def test_clipped_pixels_are_hardly_trusted() -> None:
    y = torch.tensor([0.0, 0.5, 0.97, 250 / 255, 254 / 255, 1.0]).view(1, 1, 1, 6)
    weight = unclipped(y)[0, 0, 0]
    torch.testing.assert_close(weight[:3], torch.ones(3))
    assert weight[3] > 0.9
    assert weight[4] < 0.3
    torch.testing.assert_close(weight[5], torch.tensor(0.1))


def test_more_steps_and_a_better_start_come_closer(model: UnknownBorder) -> None:
    y = rand(1, 1, *SIZE)
    solution = conjugate_gradients(y, model, steps=200)
    few = conjugate_gradients(y, model, steps=5)
    more = conjugate_gradients(y, model, steps=5, start=few)
    assert (more - solution).norm() < 0.8 * (few - solution).norm()
    torch.testing.assert_close(conjugate_gradients(y, model, steps=0, start=few), few)


def test_what_has_no_weight_has_no_say(kernel: torch.Tensor) -> None:
    y, weight = rand(1, 1, *SIZE), torch.ones(1, 1, *SIZE, dtype=torch.float64)
    weight[..., 2, 3] = 0
    clipped = y.clone()
    clipped[..., 2, 3] = 9
    model = UnknownBorder(kernel, SIZE, weight)
    a, b = (conjugate_gradients(x, model, strength=0.02, steps=150) for x in (y, clipped))
    torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


def test_each_sample_has_its_own_strength_and_kernel(kernel: torch.Tensor) -> None:
    kernels, y = torch.cat([kernel, kernel.flip(-1)]), rand(2, 1, *SIZE)
    strength = torch.tensor([0.1, 0.001], dtype=torch.float64)[:, None, None, None]
    both = conjugate_gradients(y, UnknownBorder(kernels, SIZE), strength=strength, steps=4)
    for i in range(2):
        model = UnknownBorder(kernels[i : i + 1], SIZE)
        alone = conjugate_gradients(y[i : i + 1], model, strength=float(strength[i]), steps=4)
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-6, rtol=1e-5)


def test_embed_is_the_adjoint_of_crop(model: UnknownBorder) -> None:
    x, y = rand(1, 2, *model.canvas, seed=3), rand(1, 2, *SIZE, seed=4)
    torch.testing.assert_close((model.crop(x) * y).sum(), (x * model.embed(y)).sum())


def test_the_normal_operator_is_blur_and_its_adjoint(kernel: torch.Tensor) -> None:
    model = UnknownBorder(kernel, SIZE, rand(1, 1, *SIZE, seed=5))
    a, b = rand(1, 1, *model.canvas, seed=6), rand(1, 1, *model.canvas, seed=7)
    assert model.square is not None
    left = (a * model.image(model.normal(model.transform(b)))).sum()
    torch.testing.assert_close(left, (model.square * model.blur(a) * model.blur(b)).sum())


def test_the_prior_is_the_energy_of_the_differences() -> None:
    x = rand(10, 12)
    spectrum = torch.fft.rfft2(x) * laplacian_spectrum((10, 12))
    energy = (x * torch.fft.irfft2(spectrum, s=(10, 12))).sum()
    wanted = sum((x.roll(-1, d) - x).square().sum() for d in (0, 1))
    torch.testing.assert_close(energy, wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("size", [(6, 7), (31, 200), (97, 5)])
def test_the_first_guess_is_the_photo_mirrored(size: tuple[int, int]) -> None:
    y = rand(1, 1, *size)
    model = UnknownBorder(torch.ones(1, 1, 64, 64) / 4096, size)
    below, right = (c - s - 32 for c, s in zip(model.canvas, size, strict=True))
    wanted = np.pad(y[0, 0].numpy(), ((32, below), (32, right)), mode="reflect")
    np.testing.assert_array_equal(model.extend(y)[0, 0], wanted)
    torch.testing.assert_close(model.crop(model.extend(y)), y)


def test_fast_sizes() -> None:
    smooth = sorted(
        2**a * 3**b * 5**c
        for a in range(1, 11)
        for b in range(7)
        for c in range(5)
        if 2**a * 3**b * 5**c < 1100
    )
    assert [fast_size(n) for n in range(1, 1001)] == [
        min(s for s in smooth if s >= n) for n in range(1, 1001)
    ]


def test_differentiable_in_photo_kernel_and_strength(kernel: torch.Tensor) -> None:
    y, k = rand(1, 1, 4, 4).requires_grad_(), kernel.clone().requires_grad_()
    strength = torch.full((1, 1, 1, 1), 0.05, dtype=torch.float64, requires_grad=True)

    def solved(y: torch.Tensor, k: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return conjugate_gradients(y, UnknownBorder(k, (4, 4)), strength=s, steps=2)

    assert torch.autograd.gradcheck(solved, (y, k, strength))


def test_steps_in_place_are_as_recorded_ones_and_leave_the_start_alone(
    kernel: torch.Tensor, model: UnknownBorder
) -> None:
    y = rand(len(kernel), 2, *model.size)
    start = model.transform(model.extend(y))
    before = start.clone()
    inverse = 1 / (model.otf.abs().square() + 0.01)

    def run() -> torch.Tensor:
        return solve(lambda u: model.normal(u) + 0.01 * u, model.adjoint(y), start, inverse, 5)

    recorded = run()
    with torch.no_grad():
        torch.testing.assert_close(run(), recorded)
    assert torch.equal(start, before)
    assert float((recorded - start).abs().max()) > 1e-2
