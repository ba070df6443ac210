"""The one-dimensional toy problem of Figure 2: why to estimate the kernel alone.

A pulse x(a, w), of height 1 from a to a + w, is blurred by a Gaussian kernel k_s of standard deviation s and
seen by N = 128 pixels, each of which collects the light on its unit of length, with noise:

    y = k_s * x(a, w) + n,    a ~ U(0, 96), w ~ U(0, 32), s ~ U(0, 3), n ~ N(0, NOISE^2), independent.

With these priors, up to constants and inside the box, and with r(a, w, s) = y - k_s * x(a, w),

    jointly:          -log p(a, w, s | y) = ||r(a, w, s)||^2 / 2 NOISE^2
    exactly:          -log p(s | y) = -log of the integral over a and w of exp(-||r(a, w, s)||^2 / 2 NOISE^2)
    with the solver:  -log p(s | y) ~ ||y - k_s * F(y, k_s)||^2 / 2 NOISE^2

The first is what joint estimation descends, the second what the kernel alone has to be judged by. The last
puts the non-blind solution in the place of all the pulses, here the best pulse for the kernel: the largest
value of the integrand for its integral. The width of the peak is neglected, which changes slowly with s.

A blurred pulse is the difference of two blurred steps, E_a - E_{a+w}. A step at p blurred by a Gaussian is
Phi((t - p) / s), and its integral up to t is s (z Phi(z) + phi(z)) with z = (t - p) / s: E_p[n] is the
difference of that at n + 1 and at n. So the losses of all pairs of edges are one product of matrices, and the
integral is a sum over a grid finer than the peak.

The ranges, the truth, the scaled directions and what is compared are the paper's (Figure 2, eqs. 11 to 16, 21
and 22). The derivation is ours, from the model alone, and so are the noise level and the pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

LENGTH = 128
LIMITS = torch.tensor([96.0, 32.0, 3.0], dtype=torch.float64)
"""The largest start, width and kernel width; the least of each is 0."""
TRUTH = torch.tensor([64.0, 10.0, 1.5], dtype=torch.float64)
SCALES = torch.tensor([64.0, 32.0, 1.0], dtype=torch.float64)
"""Lengths of a unit along start, width and kernel width, in the projection."""
NOISE = 0.05

_SAME = 0.25  # two pulses that differ by less, in -log p, are one
# The pulse moves, its end, its start, the kernel: in samples, and a tenth of one.
_MOVES = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, -1.0, 0.0), (0.0, 0.0, 0.1)]


def blurred_steps(places: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """E_p (..., 128) of places and kernel widths (...)."""
    spread = spread[..., None].clamp(min=1e-9)
    z = (torch.arange(LENGTH + 1, dtype=torch.float64) - places[..., None]) / spread
    light = spread * (z * torch.special.ndtr(z) + torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi))
    return light.diff(dim=-1)


def blurred_pulses(points: torch.Tensor) -> torch.Tensor:
    """k_s * x(a, w), (..., 128), of points (a, w, s) (..., 3)."""
    start, width, spread = points.unbind(-1)
    return blurred_steps(start, spread) - blurred_steps(start + width, spread)


def observe(seed: int = 0) -> torch.Tensor:
    """y (128,): the true pulse, blurred, with noise."""
    generator = torch.Generator().manual_seed(seed)
    return blurred_pulses(TRUTH) + NOISE * torch.randn(LENGTH, generator=generator, dtype=torch.float64)


def joint_loss(y: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """-log p(a, w, s | y) (...) at points (..., 3), up to a constant; infinite outside the box."""
    loss = (y - blurred_pulses(points)).square().sum(-1) / (2 * NOISE**2)
    return loss.where(((points >= 0) & (points <= LIMITS)).all(-1), torch.inf)


def descend(y: torch.Tensor, points: torch.Tensor, fixed_kernel: bool = False) -> torch.Tensor:
    """Where descents of the joint loss from points (M, 3) end, to 1/128 sample.

    Compass search: the best of a few moves, as long as one helps; then moves of half the length.
    """
    rows = _MOVES[:3] if fixed_kernel else _MOVES
    moves = torch.tensor(rows + [[-v for v in row] for row in rows], dtype=torch.float64)
    loss = joint_loss(y, points)
    for _ in range(8):
        going = torch.arange(len(points))
        while len(going):
            tried = (points[going, None] + moves).clamp(min=0).minimum(LIMITS)
            least, which = joint_loss(y, tried).min(-1)
            better = least < loss[going] - 1e-9
            going, which, least = going[better], which[better], least[better]
            points = points.index_put((going,), tried[better, which])
            loss = loss.index_put((going,), least)
        moves = moves / 2
    return points


def local_minima(y: torch.Tensor, starts: int = 200, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """The local minima of the joint loss that descents from random points of the box end in.

    Minima are told apart by their signals, so that all empty pulses, wherever they start, are one.

    Returns:
        The minima (M, 3), the lowest first, and the number of descents (M,) that end in each.
    """
    generator = torch.Generator().manual_seed(seed)
    ends = descend(y, LIMITS * torch.rand((starts, 3), generator=generator, dtype=torch.float64))
    ends = ends[joint_loss(y, ends).argsort(stable=True)]
    signals = blurred_pulses(ends)
    alike = (signals[:, None] - signals).square().sum(-1) / (2 * NOISE**2) < _SAME
    minima: list[int] = []
    counts: list[int] = []
    for index in range(starts):
        same = [place for place, minimum in enumerate(minima) if alike[index, minimum]]
        if same:
            counts[same[0]] += 1
        else:
            minima.append(index)
            counts.append(1)
    return ends[minima], torch.tensor(counts)


@dataclass(frozen=True)
class Projection:
    """The joint loss seen along the direction at right angles to two random ones.

    Attributes:
        directions: (3, 2), orthonormal; a point is seen at (point - TRUTH) / SCALES @ directions.
        low, high: (2,), the ends of the picture along either direction, which the box fills.
        loss: (M, M), the least of all points that are seen in a cell; infinite where there is none.
    """

    directions: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    loss: torch.Tensor


def seen_at(points: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Where points (..., 3) are seen in the projection on directions (3, 2): (..., 2)."""
    return (points - TRUTH) / SCALES @ directions


def project(y: torch.Tensor, seed: int = 0, size: int = 120) -> Projection:
    """The joint loss over the box, projected on two random orthogonal directions.

    Args:
        seed: of the directions.
        size: cells a side.
    """
    generator = torch.Generator().manual_seed(seed)
    directions, _ = torch.linalg.qr(torch.randn((3, 2), generator=generator, dtype=torch.float64))
    corners = seen_at(LIMITS * torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3), directions)
    low, high = corners.amin(0), corners.amax(0)
    least = torch.full((size * size,), torch.inf, dtype=torch.float64)
    for spread in torch.linspace(0, float(LIMITS[2]), size + 1, dtype=torch.float64):
        points, loss = _grid(y, spread, 0.25)
        cells = (seen_at(points, directions) - low) / (high - low) * size
        row, column = cells.long().clamp(0, size - 1).unbind(-1)
        least.scatter_reduce_(0, row * size + column, loss, "amin")
    return Projection(directions, low, high, least.view(size, size))


@dataclass(frozen=True)
class Posterior:
    """-log p(s | y), each the logarithm of a density of integral 1.

    Attributes:
        spreads: (M,), the kernel widths s.
        exact: (M,), all pulses considered.
        solver: (M,), the solver's pulse in the place of all.
    """

    spreads: torch.Tensor
    exact: torch.Tensor
    solver: torch.Tensor


def kernel_posterior(y: torch.Tensor, size: int = 61, step: float = 0.125) -> Posterior:
    """What y says of the kernel alone.

    Args:
        size: how many kernel widths from 0 to 3.
        step: of the sum over the places of the pulse's edges.
    """
    spreads = torch.linspace(0, float(LIMITS[2]), size, dtype=torch.float64)
    exact, best = [], []
    for spread in spreads:
        points, loss = _grid(y, spread, step)
        exact.append(-torch.logsumexp(-loss, 0) - 2 * math.log(step))
        best.append(points[loss.argmin()])
    solver = joint_loss(y, descend(y, torch.stack(best), fixed_kernel=True))
    return Posterior(spreads, _density(torch.stack(exact), spreads), _density(solver, spreads))


def _grid(y: torch.Tensor, spread: torch.Tensor, step: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The points (M, 3) of the box with one kernel width whose edges lie on a grid, and their losses (M,)."""
    starts = torch.arange(0, float(LIMITS[0]) + step, step, dtype=torch.float64)
    ends = torch.arange(0, float(LIMITS[0] + LIMITS[1]) + step, step, dtype=torch.float64)
    edges = blurred_steps(ends, spread)
    first, power, seen = edges[: len(starts)], edges.square().sum(-1), edges @ y
    rise = (power - 2 * seen)[: len(starts), None]  # ||y - E_a + E_b||^2, term by term
    error = y.square().sum() + rise + power + 2 * seen - 2 * first @ edges.T
    width = ends - starts[:, None]
    inside = (width >= 0) & (width <= LIMITS[1])
    points = torch.stack([starts[:, None].expand_as(width)[inside], width[inside]], dim=-1)
    return torch.cat([points, spread.expand(len(points), 1)], dim=-1), error[inside] / (2 * NOISE**2)


def _density(loss: torch.Tensor, spreads: torch.Tensor) -> torch.Tensor:
    """-log of a density, scaled to the integral 1."""
    return loss - loss.min() + torch.trapezoid(torch.exp(loss.min() - loss), spreads).log()
