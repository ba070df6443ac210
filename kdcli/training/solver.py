"""How the solver learns: on true kernels and on the estimator's own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch

from kdcli.blur.kernels import finest_shift, normalise, shift
from kdcli.blur.noise import noise_level
from kdcli.engine.estimate import estimate_kernels
from kdcli.engine.fuse import fuse
from kdcli.engine.options import Options
from kdcli.engine.settle import finished, settle
from kdcli.nets.estimator import KernelNet
from kdcli.nets.solver import LEARNT, Observation, Solver
from kdcli.training.data import Batch, PairMaker, Rows
from kdcli.training.place import moved_image

_KERNELS = 128  # that are estimated, which takes long; every one then blurs many photos
_REMEMBERED = 256  # pairs that are ready to learn from
_FRESH = 2  # pairs that every step gets ready
_FIRST = 0.3  # weight of the distance after the first turn


@dataclass(frozen=True)
class _Kernels(Rows):
    """True kernels and what the engine made of them.

    Attributes:
        true, estimated: (N, 1, 64, 64), moved by whole pixels, which leaves them as they are, to be nearest.
        rows, columns: (N,), by which parts of a pixel the estimated ones lie further down and to the right.
    """

    true: torch.Tensor
    estimated: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor


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

    How a kernel is wrong depends on the kernel more than on the photo. So with an estimator the first steps
    estimate one each, as the engine does, and all steps blur other photos by the true ones of these.

    Args:
        estimator: whose kernels the solver has to put up with.
        share: of the pairs that get an estimated kernel.
    """

    def __init__(self, estimator: KernelNet | None, share: float = 0.5):
        self.estimator = estimator
        self.share = share if estimator is not None else 0.0
        self._kernels: list[_Kernels] = []
        self._memory: deque[_Ready] = deque(maxlen=_REMEMBERED)
        self._held_out: tuple[Batch, Batch] | None = None

    def trained(self, network: Solver) -> Solver:
        """The whole network learns."""
        return network

    def state(self) -> list[dict[str, torch.Tensor]]:
        """The kernels, for a checkpoint. The pairs would be its largest part, and are soon made anew."""
        return [vars(kernels) for kernels in self._kernels]

    def restore(self, state: list[dict[str, torch.Tensor]]) -> None:
        """Continue from a checkpoint's state."""
        self._kernels = [_Kernels(**kernels) for kernels in state]

    def loss(self, network: Solver, maker: PairMaker, count: int, generator: torch.Generator) -> torch.Tensor:
        """How far so many pairs are from the sharp photos after both turns."""
        if self.estimator is None:
            ready = self._ready(network, maker.make(count), known=1.0)
        else:
            if len(self._kernels) < _KERNELS:
                self._kernels.append(self._estimate(maker.make(1)))
            fresh = min(_FRESH, count) if self._memory else count
            for _ in range(fresh):
                self._memory.append(self._pair(network, maker, generator))
            places = torch.randint(len(self._memory), (count,), generator=generator, device=generator.device)
            places[:fresh] = torch.arange(len(self._memory) - fresh, len(self._memory))
            ready = _Ready.joined([self._memory[int(place)] for place in places])
        seen = Observation.of(ready.blurred, ready.kernel, ready.known, ready.noise)
        first = network.first_turn(seen, [ready.faithful, ready.smooth])
        last = network.second_turn(seen, [first])
        return _distance(last, ready.sharp) + _FIRST * _distance(seen.model.crop(first), ready.sharp)

    def _pair(self, network: Solver, maker: PairMaker, generator: torch.Generator) -> _Ready:
        """A new pair, with its true kernel or with an estimated one."""
        draw, which = torch.rand(2, generator=generator, device=generator.device).tolist()
        if draw >= self.share:
            return self._ready(network, maker.make(1), known=1.0)
        kernels = self._kernels[int(which * len(self._kernels))]
        return self._ready(network, _in_place(maker.make(1, kernels.true), kernels), LEARNT)

    @torch.no_grad()
    def _estimate(self, batch: Batch) -> _Kernels:
        """What the engine makes of the kernels of a batch."""
        assert self.estimator is not None
        photos = batch.blurred.split(1)
        looks = estimate_kernels(self.estimator, photos, Options(), lambda _: None)
        settled = [settle(photo, fuse(own.kernels)[0]) for photo, own in zip(photos, looks, strict=True)]
        kernel = finished(torch.cat(settled))
        rows, columns = finest_shift(batch.kernel[:, 0], kernel[:, 0])
        nearest = normalise(shift(kernel, rows.round(), columns.round()))
        return _Kernels(batch.kernel, nearest, rows.round() - rows, columns.round() - columns)

    @torch.no_grad()
    def _ready(self, network: Solver, pairs: Batch, known: float) -> _Ready:
        """Pairs with kernels that are known so far, deconvolved."""
        flag = network.known(pairs.kernel, known)
        noise = noise_level(pairs.blurred, pairs.kernel if known == 1 else None)
        seen = Observation.of(pairs.blurred, pairs.kernel, flag, noise)
        faithful, smooth = network.deconvolve(seen)
        return _Ready(pairs.blurred, pairs.sharp, pairs.kernel, flag, noise, faithful, smooth)

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
        estimated = self._estimated_once(batch).kernel
        return network(batch.blurred, estimated), network(batch.blurred, batch.kernel, 1.0)

    def _estimated_once(self, batch: Batch) -> Batch:
        """The pairs with the estimator's kernels for the true ones, in one place with the sharp photos."""
        if self.estimator is None:
            return batch
        if self._held_out is None or self._held_out[0] is not batch:
            self._held_out = (batch, _in_place(batch, self._estimate(batch)))
        return self._held_out[1]

    @torch.no_grad()
    def sheet(self, network: Solver, batch: Batch) -> torch.Tensor:
        """A picture (3, H, W): blurred, restored with estimated and with true kernels, sharp."""
        rows = [batch.blurred, *self._restored(network, batch), batch.sharp]
        return torch.cat([torch.cat(list(row.clamp(0, 1)), dim=-1) for row in rows], dim=-2)


def _in_place(batch: Batch, kernels: _Kernels) -> Batch:
    """Pairs blurred by the true kernels, with the estimated ones and sharp photos that they lead to."""
    sharp = moved_image(batch.sharp, -kernels.rows, -kernels.columns)
    return replace(batch, sharp=sharp, kernel=kernels.estimated)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean over the samples of the peak signal-to-noise ratio in dB, signals clipped to [0, 1]."""
    error = (a.clamp(0, 1) - b).square().mean((1, 2, 3)).clamp(min=1e-10)
    return float((-10 * error.log10()).mean())


def _distance(restored: torch.Tensor, sharp: torch.Tensor) -> torch.Tensor:
    """Mean over the samples of the logarithm of the distance, and half of that of the gradients'.

    As PSNR has it: a tenth less of a small error is worth as much as a tenth less of a large one. Without
    the logarithm the photos that can't be restored well have all the say.
    """
    error = restored - sharp
    down, across = (_level(torch.diff(error, dim=d)) for d in (-2, -1))
    return _level(error) + (down + across) / 4


def _level(error: torch.Tensor) -> torch.Tensor:
    """Mean of the logarithm of the root mean square of each sample (N, C, H, W)."""
    return (error.square().mean((1, 2, 3)) + 1e-7).log().mean() / 2
