"""How the solver learns: on true kernels and on the estimator's own."""

from __future__ import annotations

from collections import deque

import torch

from kdcli.blur.kernels import best_shift, normalise, shift
from kdcli.engine.estimate import alternate
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.solver import Solver
from kdcli.training.data import Batch

_REMEMBERED = 192  # pairs with estimated kernels, which cost more than a step of training
_FIRST = 0.3  # weight of the distance after the first turn


class SolverTask:
    """Trains a ``Solver``; without an estimator, on true kernels only.

    Every step one new pair gets an estimated kernel; the other estimated kernels of the batch are drawn,
    with their pairs, from those of the last steps.

    Args:
        estimator: whose kernels the solver has to put up with.
        share: of each batch that gets an estimated kernel.
    """

    measure = "psnr_estimated"

    def __init__(self, estimator: KernelNet | None, share: float = 0.75):
        self.estimator = estimator
        self.share = share if estimator is not None else 0.0
        self._memory: deque[tuple[Batch, torch.Tensor]] = deque(maxlen=_REMEMBERED)
        self._held_out: tuple[Batch, torch.Tensor] | None = None

    def trained(self, network: Solver) -> Solver:
        """The whole network learns."""
        return network

    @torch.no_grad()
    def estimated(self, batch: Batch) -> torch.Tensor:
        """The estimator's kernels (N, 1, 64, 64), moved to where they match the true ones best.

        A shift of the kernel only moves the image, and must not be charged to the solver.
        """
        if self.estimator is None:
            return batch.kernel
        *_, kernel = alternate(self.estimator, standardise(luminance(batch.blurred)), coarse=2, fine=2)
        rows, columns = best_shift(batch.kernel[:, 0], kernel[:, 0])
        return normalise(shift(kernel, rows.float(), columns.float()))

    def loss(self, network: Solver, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Mean distance from the sharp photos after both turns."""
        n = round(len(batch.kernel) * self.share)
        kernel = batch.kernel
        if n:
            batch, kernel = self._with_estimates(batch, n, generator)
        exact = torch.arange(len(kernel), device=kernel.device) >= n
        first, last = network.turns(batch.blurred, kernel, exact)
        return _distance(last, batch.sharp) + _FIRST * _distance(first, batch.sharp)

    def _with_estimates(self, batch: Batch, n: int, generator: torch.Generator) -> tuple[Batch, torch.Tensor]:
        """The batch with n of its pairs replaced by some that have estimated kernels, those first."""
        fresh = 1 if len(self._memory) >= n else n
        kernels = self.estimated(batch.part(0, fresh))
        self._memory.extend((batch.part(i, i + 1), kernels[i : i + 1]) for i in range(fresh))
        places = torch.randint(len(self._memory), (n - fresh,), generator=generator, device=generator.device)
        drawn = [self._memory[-1 - i] for i in range(fresh)] + [self._memory[int(p)] for p in places]
        rest = batch.part(n, len(batch.kernel))
        pairs = Batch.joined([*(pair for pair, _ in drawn), rest])
        return pairs, torch.cat([*(kernel for _, kernel in drawn), rest.kernel])

    @torch.no_grad()
    def validate(self, network: Solver, batch: Batch) -> dict[str, float]:
        """PSNR with true and with estimated kernels, and of the blurred input, in dB."""
        estimated, true = (psnr(image, batch.sharp) for image in self._restored(network, batch))
        return {
            "psnr_estimated": estimated,
            "psnr_true": true,
            "psnr_input": psnr(batch.blurred, batch.sharp),
        }

    def _restored(self, network: Solver, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """The photos restored with estimated and with true kernels."""
        if self._held_out is None or self._held_out[0] is not batch:
            self._held_out = (batch, self.estimated(batch))
        known = torch.zeros(len(batch.kernel), dtype=torch.bool, device=batch.kernel.device)
        return (
            network(batch.blurred, self._held_out[1], known),
            network(batch.blurred, batch.kernel, ~known),
        )

    @torch.no_grad()
    def sheet(self, network: Solver, batch: Batch) -> torch.Tensor:
        """A picture (3, H, W): blurred, restored with estimated and with true kernels, sharp."""
        rows = [batch.blurred, *self._restored(network, batch), batch.sharp]
        return torch.cat([torch.cat(list(row.clamp(0, 1)), dim=-1) for row in rows], dim=-2)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean over the samples of the peak signal-to-noise ratio in dB, signals clipped to [0, 1]."""
    error = (a.clamp(0, 1) - b).square().mean((1, 2, 3)).clamp(min=1e-10)
    return float((-10 * error.log10()).mean())


def _distance(restored: torch.Tensor, sharp: torch.Tensor) -> torch.Tensor:
    """Mean of the Charbonnier distance, and half of that between gradients."""
    return _charbonnier(restored - sharp) + 0.5 * sum(
        _charbonnier(torch.diff(restored, dim=d) - torch.diff(sharp, dim=d)) for d in (-2, -1)
    )


def _charbonnier(error: torch.Tensor) -> torch.Tensor:
    return (error.square() + 1e-4).sqrt().mean()
