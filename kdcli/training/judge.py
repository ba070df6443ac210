"""How the judge learns: on kernels that the estimator finds on its way, good ones and wrong ones."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from kdcli.blur.families import sample
from kdcli.blur.kernels import centred, impulse, mnc, normalise, without_specks
from kdcli.blur.turns import turn, turn_back, turn_kernel
from kdcli.blur.uneven import deformed
from kdcli.engine.alternate import alternate_coarse, alternate_fine
from kdcli.engine.guidance import Guide
from kdcli.engine.judge import evidence_of
from kdcli.engine.options import Options
from kdcli.engine.settle import finished, settle_as_needed
from kdcli.nets.estimator import KernelNet, luminance
from kdcli.nets.judge import COARSEST, Judge, closeness
from kdcli.nets.lagspace import standardise
from kdcli.nets.solver import Solver
from kdcli.training.data import Batch, PairMaker, Rows

_REMEMBERED = 4096  # cases to learn from, of which every step gets one photo's ready
_TURNS = 3  # of the estimator, at most, at half the scale, and one less at the whole
_ESTIMATES = 2  # of a photo's kernel
_TRUE = 0.4  # share of the photos whose true kernel is shown, too
_SPOILT = 0.5  # and of those of which a spoilt one is shown
_BENT = 0.12  # standard deviation of the matrices that deform spoilt kernels
_THINNER = 1.4  # the power that makes them thin
_CUT_OFF = 0.2  # the share of the peak below which they lack all
_CLEAN = 0.4  # share of photos without accidents, as benchmarks have them
_HANDHELD = 0.2  # share under smooth paths of a few pixels
_EXTENT = 9.0, 27.0  # pixels of these
_CUT = 32  # pixels that crops of the evidence are smaller, about
_BETA = 0.5  # of the Huber loss


@dataclass(frozen=True)
class _Cases(Rows):
    """Kernels with what they make of a photo.

    Attributes:
        seen: (N, 5, S, S) float16, the evidence.
        kernel: (N, 1, 64, 64).
        likeness: (N,), MNC with the true kernel.
    """

    seen: torch.Tensor
    kernel: torch.Tensor
    likeness: torch.Tensor


class JudgeTask:
    """Trains a ``Judge`` on what an estimator and a solver make of photos.

    Every step gets a photo ready and learns from those that are remembered, turned and cropped anew. After
    one or several turns of the estimator, settled, kernels are as right or wrong as the engine's are, for
    the same reasons, at a third of the cost.
    """

    def __init__(self, estimator: KernelNet, solver: Solver):
        self.estimator, self.solver = estimator, solver
        self._memory: deque[_Cases] = deque(maxlen=_REMEMBERED)
        self._held_out: tuple[Batch, _Cases] | None = None

    def trained(self, network: Judge) -> Judge:
        """The whole network learns."""
        return network

    def state(self) -> None:
        """Nothing: what is remembered would be far the largest part of a checkpoint, and is made anew."""

    def restore(self, state: object) -> None:
        """There is nothing to continue from."""

    def loss(self, network: Judge, maker: PairMaker, count: int, generator: torch.Generator) -> torch.Tensor:
        """How far the judge is off on so many cases."""
        for _ in range(1 if self._memory else 4):
            new = self._photo(maker, generator)
            self._memory.extend(new.part(i, i + 1) for i in range(len(new.kernel)))
        places = torch.randint(len(self._memory), (count,), generator=generator, device=generator.device)
        cases = _Cases.joined([self._memory[int(place)] for place in places])
        which, row, column = _drawn(generator, 8, _CUT // COARSEST + 1, _CUT // COARSEST + 1)
        seen, kernel = turn(cases.seen.float(), which), turn_kernel(cases.kernel, which)
        side = seen.shape[-1] - _CUT
        row, column = COARSEST * row, COARSEST * column
        found = network(seen[..., row : row + side, column : column + side], kernel)
        return F.smooth_l1_loss(found, closeness(cases.likeness), beta=_BETA)

    def _photo(self, maker: PairMaker, generator: torch.Generator) -> _Cases:
        """The cases of a new photo."""
        draw, clean, shown, spoilt = torch.rand(4, generator=generator, device=generator.device).tolist()
        kernels = None
        if draw < _HANDHELD:
            seed = np.random.default_rng(_drawn(generator, 2**31)[0])
            kernels = torch.from_numpy(sample("handheld", 1, seed))[:, None].to(maker.device)
        pair = maker.make(1, kernels, clean=clean < _CLEAN)
        turns = [_drawn(generator, 8, _TURNS, _TURNS) for _ in range(_ESTIMATES)]
        beside = [pair.kernel] if shown < _TRUE else []
        if spoilt < _SPOILT:
            beside.append(_spoilt(pair.kernel, generator))
        return self._cases(pair, turns, beside)

    @torch.no_grad()
    def _cases(self, pair: Batch, turns: list[list[int]], beside: list[torch.Tensor]) -> _Cases:
        """Those of one photo, estimated so often, and of other kernels (1, 1, 64, 64) beside them.

        Args:
            turns: which flip or quarter turn of the photo is looked at, how many turns but one the estimator
                takes at half the scale, and how many at the whole, for each estimate.
        """
        y = standardise(luminance(pair.blurred))
        kernels = []
        for which, coarse, fine in turns:
            view = turn(y, which)
            kernel = alternate_coarse(self.estimator, view, coarse + 1)
            for later in alternate_fine(self.estimator, view, kernel, fine):
                kernel = later
            own = turn_back(kernel, which)
            own, _ = settle_as_needed(self.estimator, pair.blurred, own, Options(), lambda _: None)
            kernels.append(finished(own))
        kernels += beside
        guide = Guide(self.solver, pair.blurred)
        seen = [evidence_of(guide, guide.near(kernel)(kernel), kernel).half() for kernel in kernels]
        together = torch.cat(kernels)
        return _Cases(
            torch.cat(seen), together, mnc(together[:, 0], pair.kernel[:, 0].expand(len(together), -1, -1))
        )

    @torch.no_grad()
    def validate(self, network: Judge, batch: Batch) -> dict[str, float]:
        """Rank correlation of what is expected and what is so, and the root mean square of the difference."""
        cases = self._judged_once(batch)
        expected = torch.cat([network.likeness(case.seen.float(), case.kernel) for case in _each(cases)])
        return {
            "rank_correlation": _rank_correlation(expected, cases.likeness),
            "error": float((expected - cases.likeness).square().mean().sqrt()),
        }

    def _judged_once(self, batch: Batch) -> _Cases:
        """Two estimates of each of these photos' kernels, an early and a late one."""
        if self._held_out is None or self._held_out[0] is not batch:
            turns = [[0, 0, 0], [1, _TURNS - 1, _TURNS - 1]]
            cases = [self._cases(batch.part(i, i + 1), turns, []) for i in range(len(batch.kernel))]
            self._held_out = (batch, _Cases.joined(cases))
        return self._held_out[1]

    @torch.no_grad()
    def sheet(self, network: Judge, batch: Batch) -> torch.Tensor:
        """A picture (3, H, W): restored photos above their kernels, the most trusted ones to the left."""
        cases = self._judged_once(batch)
        expected = torch.cat([network.likeness(case.seen.float(), case.kernel) for case in _each(cases)])
        order = expected.argsort(descending=True)[:: max(1, len(expected) // 8)]
        seen, kernel = cases.seen[order].float(), cases.kernel[order]
        shown = F.interpolate(kernel / kernel.amax((-2, -1), keepdim=True), size=seen.shape[-2:])
        rows = [(seen[:, 1:2] / 4 + 0.5).clamp(0, 1), shown]
        return torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2).expand(3, -1, -1)


def _spoilt(kernel: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A kernel (1, 1, 64, 64) deformed, smeared, thinned, without its weak parts, or gone."""
    kind = _drawn(generator, 6)[0]
    if kind == 0:
        return normalise(F.avg_pool2d(kernel, 3, 1, 1))
    if kind == 1:
        return normalise(kernel**_THINNER)
    if kind == 2:
        return without_specks(kernel, _CUT_OFF)
    if kind == 3:
        return impulse().to(kernel).expand_as(kernel)
    bend = _BENT * torch.randn((1, 2, 2), generator=generator, device=generator.device)
    return centred(deformed(kernel, bend)[0, 0])[None, None]


def _drawn(generator: torch.Generator, *ends: int) -> list[int]:
    """A whole number from 0 up to each of these, which is left out."""
    return [int(torch.randint(end, (), generator=generator, device=generator.device)) for end in ends]


def _each(cases: _Cases) -> list[_Cases]:
    """One by one, which bounds the memory."""
    return [cases.part(i, i + 1) for i in range(len(cases.kernel))]


def _rank_correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Spearman's, of (N,) without ties."""
    ranks = torch.stack([a, b]).argsort(dim=1).argsort(dim=1).float()
    return float(torch.corrcoef(ranks)[0, 1])
