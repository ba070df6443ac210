"""How the kernel estimator learns: both scales and several noise levels from every batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.kernels import impulse, mnc
from kdcli.blur.marginal import ascend
from kdcli.engine.estimate import COARSE_LEVEL, FINE_LEVEL, alternate
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
from kdcli.training.data import Batch

_AUXILIARY = 0.02  # weight of the pull towards the true sharp gradients
_OTHER_TIMES = 0.25  # weight of the predictions at random times, beside those from pure noise


def prediction_loss(k0: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Squared error in diffusion units, and one minus the cosine to the true kernel: (N,)."""
    squared = F.mse_loss(k0, to_units(kernel), reduction="none").mean((-3, -2, -1))
    cosine = F.cosine_similarity((k0 + 1).flatten(1), kernel.flatten(1), dim=1)
    return squared + (1 - cosine)


class KernelTask:
    """Trains a ``KernelNet`` as it is used: passes at half, then at the whole scale, ascents in between.

    Args:
        coarse, fine: passes at either scale for every batch; every one of them learns. The fine ones see
            the first quarter of the batch only, since they cost four times as much.
    """

    measure = "mnc"

    def __init__(self, coarse: int = 2, fine: int = 2):
        self.coarse, self.fine = coarse, fine
        self.schedule = make_schedule("cosine")

    def trained(self, network: KernelNet) -> KernelNet:
        """The whole network learns."""
        return network

    def loss(self, network: KernelNet, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """The loss of a batch, mean over the passes."""
        y, true = standardise(luminance(batch.blurred)), batch.kernel
        sharp = luminance(batch.sharp) / (luminance(batch.blurred).std((-2, -1), keepdim=True) + 1e-6)
        half = (reduce_image(y), reduce_image(sharp), reduce_kernel(true))
        kernel = impulse(32).to(y.device).expand(len(y), 1, 32, 32)
        losses = []
        for _ in range(self.coarse):
            loss, kernel = self._pass(network, *half, kernel, generator)
            kernel = ascend(half[0], kernel, level=COARSE_LEVEL, rounds=1)
            losses.append(loss)
        some = (len(y) + 3) // 4
        kernel = expand_kernel(kernel[:some])
        for index in range(self.fine):
            if index > 0:
                kernel = ascend(y[:some], kernel, level=FINE_LEVEL, rounds=1)
            loss, kernel = self._pass(network, y[:some], sharp[:some], true[:some], kernel, generator)
            losses.append(loss)
        return torch.stack(losses).mean()

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
