"""How the kernel estimator learns: both scales and several noise levels from every batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdcli.blur.kernels import impulse, mnc
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
    """Trains a ``KernelNet``: passes at half the scale from nothing, then passes at the whole scale.

    Args:
        coarse, fine: passes at either scale for every batch; every one of them learns.
    """

    measure = "mnc"

    def __init__(self, coarse: int = 2, fine: int = 1):
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
        total = torch.zeros((), device=y.device)
        for _ in range(self.coarse):
            loss, kernel = self._pass(network, *half, kernel, generator)
            total = total + loss
        kernel = expand_kernel(kernel)
        for _ in range(self.fine):
            loss, kernel = self._pass(network, y, sharp, true, kernel, generator)
            total = total + loss
        return total / (self.coarse + self.fine)

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
    def passes(self, network: KernelNet, batch: Batch) -> list[torch.Tensor]:
        """The kernels (N, 1, 64, 64) after the coarse passes, after each of the fine ones, and one more."""
        y = standardise(luminance(batch.blurred))
        found = [expand_kernel(network.predict_coarse(y, self.coarse))]
        for _ in range(self.fine + 1):
            found.append(network.predict(y, found[-1]))
        return found

    @torch.no_grad()
    def validate(self, network: KernelNet, batch: Batch) -> dict[str, float]:
        """MNC at the whole scale after the coarse passes and after each fine one."""
        scores = [float(mnc(k[:, 0], batch.kernel[:, 0]).mean()) for k in self.passes(network, batch)]
        names = ["mnc_coarse", *(f"mnc_fine{i + 1}" for i in range(len(scores) - 1))]
        return {"mnc": scores[-1], **dict(zip(names, scores, strict=True))}

    @torch.no_grad()
    def sheet(self, network: KernelNet, batch: Batch) -> torch.Tensor:
        """A picture (3, H, W): blurred photos, true kernels, and the kernels after each pass."""
        kernels = [batch.kernel, *self.passes(network, batch)]
        size = batch.blurred.shape[-2:]
        shown = [F.interpolate(k / k.amax((-2, -1), keepdim=True), size=size) for k in kernels]
        rows = [batch.blurred.expand(-1, 3, -1, -1), *(k.expand(-1, 3, -1, -1) for k in shown)]
        return torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)
