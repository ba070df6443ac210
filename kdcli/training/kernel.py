"""How the kernel estimator learns: both scales and several noise levels from every batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from kdcli.blur.kernels import KERNEL_SIZE, impulse, mnc
from kdcli.blur.marginal import ascend
from kdcli.engine.alternate import LEVEL, alternate
from kdcli.nets.estimator import (
    KernelNet,
    expand_kernel,
    from_units,
    luminance,
    reduce_image,
    reduce_kernel,
    to_units,
)
from kdcli.nets.lagspace import gradients, standardise
from kdcli.nets.schedule import STEPS, make_schedule
from kdcli.training.data import Batch, PairMaker, Rows
from kdcli.training.place import in_place

_AUXILIARY = 0.02  # weight of the pull towards the true sharp gradients
_OTHER_TIMES = 0.25  # weight of the predictions at random times, beside those from pure noise


def prediction_loss(k0: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Squared error in diffusion units, and one minus the cosine to the true kernel: (N,)."""
    squared = F.mse_loss(k0, to_units(kernel), reduction="none").mean((-3, -2, -1))
    cosine = F.cosine_similarity((k0 + 1).flatten(1), kernel.flatten(1), dim=1)
    return squared + (1 - cosine)


@dataclass(frozen=True)
class _Stage(Rows):
    """Pairs on their way from one turn to the next.

    Attributes:
        y, sharp: (N, 1, S, S), the standardised photo and the sharp one in its units.
        true, kernel: (N, 1, 64, 64) and (N, 1, K, K), K = 32 for the turns at half the scale.
    """

    y: torch.Tensor
    sharp: torch.Tensor
    true: torch.Tensor
    kernel: torch.Tensor


class KernelTask:
    """Trains a ``KernelNet`` as it is used: turns at half, then at the whole scale, ascents in between.

    A batch takes one turn a step: it waits for its next turn on a belt while newer batches take theirs, so
    that every step learns from other photos in every turn at no further cost.

    Args:
        coarse, fine: turns at either scale. The fine ones see a third of each batch only, since they cost
            four times as much; with none, half the scale is trained alone.
    """

    def __init__(self, coarse: int = 3, fine: int = 2):
        self.coarse, self.fine = coarse, fine
        self.schedule = make_schedule("cosine")
        self._belt: list[_Stage] = []  # the newest first: by the turns that they have taken

    def trained(self, network: KernelNet) -> KernelNet:
        """The whole network learns."""
        return network

    def state(self) -> list[dict[str, torch.Tensor]]:
        """The belt, for a checkpoint."""
        return [vars(stage) for stage in self._belt]

    def restore(self, state: list[dict[str, torch.Tensor]]) -> None:
        """Continue from a checkpoint's state."""
        self._belt = [_Stage(**stage) for stage in state]

    def loss(
        self, network: KernelNet, maker: PairMaker, count: int, generator: torch.Generator
    ) -> torch.Tensor:
        """The loss of a new batch of so many and of those on the belt, mean over the turns."""
        batch = maker.make(count)
        y = standardise(luminance(batch.blurred))
        sharp = luminance(batch.sharp) / (luminance(batch.blurred).std((-2, -1), keepdim=True) + 1e-6)
        start = impulse(KERNEL_SIZE // 2).to(y.device).expand(len(y), 1, -1, -1)
        belt = [_Stage(y, sharp, batch.kernel, start), *self._belt][: self.coarse + self.fine]
        coarse, fine = belt[: self.coarse], belt[self.coarse :]
        loss, moved = self._turn(network, coarse, generator)
        total = loss * len(coarse)
        if len(moved) == self.coarse and self.fine:  # the last of them goes on to the whole scale
            last = moved[-1].part(0, (len(y) + 2) // 3)
            moved[-1] = replace(last, kernel=expand_kernel(last.kernel))
        if fine:
            loss, finer = self._turn(network, fine, generator)
            total = total + loss * len(fine)
            moved += finer
        self._belt = moved[: self.coarse + self.fine - 1]
        return total / len(belt)

    def _turn(
        self, network: KernelNet, stages: list[_Stage], generator: torch.Generator
    ) -> tuple[torch.Tensor, list[_Stage]]:
        """One pass and one ascent of several stages at once: the pass's loss, and the stages after it."""
        every = _Stage.joined(stages)
        y, sharp, true, kernel = every.y, every.sharp, every.true, every.kernel
        if kernel.shape[-1] < KERNEL_SIZE:
            y, sharp, true = reduce_image(y), reduce_image(sharp), reduce_kernel(true)
        sharp, true = in_place(kernel, sharp, true)
        loss, kernel = self._pass(network, y, sharp, true, kernel, generator)
        kernels = ascend(y, kernel, level=LEVEL, rounds=1).split([len(s.y) for s in stages])
        return loss, [replace(s, kernel=k) for s, k in zip(stages, kernels, strict=True)]

    def _pass(
        self,
        network: KernelNet,
        y: torch.Tensor,
        sharp: torch.Tensor,
        true: torch.Tensor,
        kernel: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of one pass (all samples from pure noise, a quarter at one more time) and its kernels."""
        n, some = len(y), (len(y) + 3) // 4
        condition, guess = network.encode(y, kernel)
        noise = torch.randn(true.shape, generator=generator, device=y.device)
        t = torch.randint(0, STEPS, (some,), generator=generator, device=y.device)
        noisy = self.schedule.noised(to_units(true[:some]), noise[:some], t)
        times = torch.cat([torch.full((n,), STEPS - 1, device=y.device), t])
        k0 = network.denoise(torch.cat([noise, noisy]), times, torch.cat([condition, condition[:some]]))
        losses = prediction_loss(k0, torch.cat([true, true[:some]]))
        pull = F.l1_loss(guess, gradients(sharp)[:, None].expand_as(guess))
        loss = losses[:n].mean() + _OTHER_TIMES * losses[n:].mean() + _AUXILIARY * pull
        return loss, from_units(k0[:n].detach())

    @torch.no_grad()
    def validate(self, network: KernelNet, batch: Batch) -> dict[str, float]:
        """MNC at the whole scale after every fine pass and after every ascent."""
        found = list(alternate(network, standardise(luminance(batch.blurred))))
        scores = [float(mnc(k[:, 0], batch.kernel[:, 0]).mean()) for k in found]
        return {"mnc": scores[-1], **{f"mnc{i + 1}": score for i, score in enumerate(scores)}}

    @torch.no_grad()
    def sheet(self, network: KernelNet, batch: Batch) -> torch.Tensor:
        """A picture (3, H, W): blurred photos, true kernels, and the kernels on the way."""
        kernels = [batch.kernel, *alternate(network, standardise(luminance(batch.blurred)))]
        size = batch.blurred.shape[-2:]
        shown = [F.interpolate(k / k.amax((-2, -1), keepdim=True), size=size) for k in kernels]
        rows = [batch.blurred.expand(-1, 3, -1, -1), *(k.expand(-1, 3, -1, -1) for k in shown)]
        return torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)
