"""How the solver learns: on true kernels and on the estimator's own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch

from kdcli.blur.kernels import finest_shift, normalise, shift
from kdcli.blur.sparse import noise_level
from kdcli.engine.estimate import alternate
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.solver import Solver
from kdcli.training.data import Batch, PairMaker, Rows
from kdcli.training.place import moved_image

_REMEMBERED = 256  # pairs that are ready to learn from, which takes longer than to learn
_FIRST = 0.3  # weight of the distance after the first turn


@dataclass(frozen=True)
class _Ready(Rows):
    """Pairs with all that the network's turns take.

    Attributes:
        blurred, sharp: (N, 3, S, S).
        kernel: (N, 1, 64, 64), to restore with.
        known: (N, 1, 1, 1), 1 where it is the true one.
        noise: (N, 1, 1, 1), the level of it.
        faithful, smooth: what ``Solver.deconvolve`` makes of them.
    """

    blurred: torch.Tensor
    sharp: torch.Tensor
    kernel: torch.Tensor
    known: torch.Tensor
    noise: torch.Tensor
    faithful: torch.Tensor
    smooth: torch.Tensor


class SolverTask:
    """Trains a ``Solver``; without an estimator, on true kernels only.

    To estimate a kernel and to deconvolve take longer than to learn from them: with an estimator, every step
    gets one new pair ready, and draws the others from those of the last steps.

    Args:
        estimator: whose kernels the solver has to put up with.
        share: of the pairs that get an estimated kernel.
    """

    measure = "psnr_estimated"

    def __init__(self, estimator: KernelNet | None, share: float = 0.65):
        self.estimator = estimator
        self.share = share if estimator is not None else 0.0
        self._memory: deque[_Ready] = deque(maxlen=_REMEMBERED)
        self._held_out: tuple[Batch, Batch] | None = None

    def trained(self, network: Solver) -> Solver:
        """The whole network learns."""
        return network

    @torch.no_grad()
    def estimated(self, batch: Batch) -> Batch:
        """The pairs with the estimator's kernels for the true ones, in one place with the sharp photos.

        The kernels move by whole pixels, which leaves them as they are, and the sharp photos by the rest.
        """
        if self.estimator is None:
            return batch
        *_, kernel = alternate(self.estimator, standardise(luminance(batch.blurred)), coarse=3, fine=2)
        rows, columns = finest_shift(batch.kernel[:, 0], kernel[:, 0])
        whole = rows.round(), columns.round()
        sharp = moved_image(batch.sharp, rows - whole[0], columns - whole[1])
        return replace(batch, sharp=sharp, kernel=normalise(shift(kernel, *whole)))

    def state(self) -> None:
        """Nothing for a checkpoint: what is remembered would be its largest part, and is soon made anew."""

    def restore(self, state: None) -> None:
        """Continue from a checkpoint's state."""

    def loss(self, network: Solver, maker: PairMaker, count: int, generator: torch.Generator) -> torch.Tensor:
        """Mean distance of so many pairs from the sharp photos after both turns."""
        if self.estimator is None:
            ready = self._ready(network, maker.make(count), known=True)
        else:
            fresh = 1 if self._memory else count
            for _ in range(fresh):
                known = float(torch.rand((), generator=generator, device=generator.device)) >= self.share
                self._memory.append(self._ready(network, maker.make(1), known))
            places = torch.randint(len(self._memory), (count,), generator=generator, device=generator.device)
            places[:fresh] = torch.arange(len(self._memory) - fresh, len(self._memory))
            ready = _Ready.joined([self._memory[int(place)] for place in places])
        first, last = network.turns(
            ready.blurred, ready.kernel, ready.known, ready.noise, ready.faithful, ready.smooth
        )
        return _distance(last, ready.sharp) + _FIRST * _distance(first, ready.sharp)

    @torch.no_grad()
    def _ready(self, network: Solver, batch: Batch, known: bool) -> _Ready:
        """Pairs with their true or with estimated kernels, deconvolved."""
        pairs = batch if known else self.estimated(batch)
        flag = network.known(pairs.kernel, known)
        noise = noise_level(batch.blurred)
        faithful, smooth = network.deconvolve(batch.blurred, pairs.kernel, flag, noise)
        return _Ready(batch.blurred, pairs.sharp, pairs.kernel, flag, noise, faithful, smooth)

    @torch.no_grad()
    def validate(self, network: Solver, batch: Batch) -> dict[str, float]:
        """PSNR with true and with estimated kernels, and of the blurred input, in dB."""
        estimated, true = self._restored(network, batch)
        return {
            "psnr_estimated": psnr(estimated, self._estimated_once(batch).sharp),
            "psnr_true": psnr(true, batch.sharp),
            "psnr_input": psnr(batch.blurred, batch.sharp),
        }

    def _restored(self, network: Solver, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """The photos restored with estimated and with true kernels."""
        known = torch.zeros(len(batch.kernel), dtype=torch.bool, device=batch.kernel.device)
        estimated = self._estimated_once(batch).kernel
        return network(batch.blurred, estimated, known), network(batch.blurred, batch.kernel, ~known)

    def _estimated_once(self, batch: Batch) -> Batch:
        if self._held_out is None or self._held_out[0] is not batch:
            self._held_out = (batch, self.estimated(batch))
        return self._held_out[1]

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
