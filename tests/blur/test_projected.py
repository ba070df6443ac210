"""Least squares under constraints."""

from __future__ import annotations

import pytest
import torch

from kdcli.blur.projected import accelerated, largest_eigenvalue, onto_simplex


def test_accelerated_finds_the_least_squares_under_a_constraint_sooner() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn((12, 12), generator=generator, dtype=torch.float64)
    matrix = root @ root.T + 0.01 * torch.eye(12, dtype=torch.float64)
    right = torch.randn(12, generator=generator, dtype=torch.float64)
    step = 1 / float(torch.linalg.eigvalsh(matrix)[-1])

    def stepped(x: torch.Tensor) -> torch.Tensor:
        return (x - step * (matrix @ x - right)).clamp(min=0)

    start = torch.zeros(12, dtype=torch.float64)
    found = accelerated(start, stepped, 20000)
    slope = matrix @ found - right  # the conditions of Karush, Kuhn and Tucker
    assert float(slope[found > 1e-9].abs().max()) < 1e-6
    assert float(slope.min()) > -1e-6
    plain = start
    for _ in range(50):
        plain = stepped(plain)

    def value(x: torch.Tensor) -> float:
        return float(x @ matrix @ x / 2 - right @ x)

    assert value(accelerated(start, stepped, 50)) < value(plain)


@pytest.mark.parametrize("seed", range(3))
def test_onto_simplex_is_the_nearest_point(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    k = 0.3 * torch.randn((2, 1, 4, 4), generator=generator, dtype=torch.float64)
    nearest = onto_simplex(k)
    assert float(nearest.min()) >= 0
    torch.testing.assert_close(nearest.sum((-2, -1)), torch.ones(2, 1, dtype=torch.float64))
    distance = (nearest - k).square().sum((1, 2, 3))
    for _ in range(200):  # no other point of the simplex is nearer
        other = torch.rand((2, 1, 4, 4), generator=generator, dtype=torch.float64)
        other = nearest + 0.1 * (other / other.sum((-2, -1), keepdim=True) - nearest)
        assert ((other - k).square().sum((1, 2, 3)) >= distance).all()


def test_largest_eigenvalue() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn((16, 16), generator=generator)
    matrix = root @ root.T
    found = largest_eigenvalue(
        lambda v: (v.flatten(1) @ matrix).view_as(v), torch.zeros(1, 1, 4, 4), steps=200
    )
    assert float(found) == pytest.approx(1.1 * float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-3)
