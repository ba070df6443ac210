"""How the solver learns: on true kernels and on the estimator's own."""

from __future__ import annotations

import torch

from kdcli.blur.kernels import best_shift, normalise, shift
from kdcli.engine.estimate import alternate
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.solver import Solver
from kdcli.training.data import Batch


class SolverTask:
    """Trains a ``Solver``; without an estimator, on true kernels only.

    Args:
        estimator: whose kernels the solver has to put up with.
        share: of each batch that gets an estimated kernel.
    """

    measure = "psnr_estimated"

    def __init__(self, estimator: KernelNet | None, share: float = 0.5):
        self.estimator = estimator
        self.share = share if estimator is not None else 0.0

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
        *_, kernel = alternate(self.estimator, standardise(luminance(batch.blurred)), coarse=2, fine=1)
        rows, columns = best_shift(batch.kernel[:, 0], kernel[:, 0])
        return normalise(shift(kernel, rows.float(), columns.float()))

    def loss(self, network: Solver, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Mean of the Charbonnier distance and of that between gradients."""
        n = round(len(batch.kernel) * self.share)
        kernel = batch.kernel.clone()
        if n:
            kernel[:n] = self.estimated(batch.part(0, n))
        with torch.no_grad():
            weak, strong = network.deconvolve(batch.blurred, kernel)
        exact = torch.arange(len(kernel), device=kernel.device) >= n
        restored = network.refine(batch.blurred, weak, strong, exact)
        return _charbonnier(restored - batch.sharp) + 0.5 * sum(
            _charbonnier(torch.diff(restored, dim=d) - torch.diff(batch.sharp, dim=d)) for d in (-2, -1)
        )

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
        known = torch.zeros(len(batch.kernel), dtype=torch.bool, device=batch.kernel.device)
        return (
            network(batch.blurred, self.estimated(batch), known),
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


def _charbonnier(error: torch.Tensor) -> torch.Tensor:
    return (error.square() + 1e-4).sqrt().mean()
