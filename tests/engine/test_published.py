"""The published algorithm, step by step against its formulas, with stand-ins for the two networks."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kdcli.engine.deblur import estimate_image_kernel
from kdcli.engine.options import PRESETS, Options
from kdcli.engine.published import refine_published, sample_published, slope
from kdcli.errors import UsageError
from kdcli.nets.judge import Judge
from kdcli.nets.paper.unet import KernelUNet
from kdcli.nets.schedule import make_schedule
from kdcli.weights import Models

PAPER = PRESETS["paper"]


class Network:
    """Believes in one kernel, and doubts it the more the noisier k_t is; not clamped."""

    schedule = make_schedule("linear")

    def __init__(self) -> None:
        self.belief = torch.randn((1, 1, 64, 64), generator=torch.Generator().manual_seed(5))

    @staticmethod
    def condition(patches: torch.Tensor) -> torch.Tensor:
        return patches.mean((1, 2, 3), keepdim=True)

    def denoise(self, k_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.belief + 0.1 * k_t + condition


def solver(y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Sharpens the more the higher the kernel's peaks are."""
    around = F.avg_pool2d(y, 5, 1, 2)
    return y + (y - around) * 50 * kernel.square().sum((1, 2, 3), keepdim=True)


def patches(count: int = 1) -> torch.Tensor:
    coarse = torch.rand((count, 3, 32, 32), generator=torch.Generator().manual_seed(6))
    return F.interpolate(coarse, size=(256, 256), mode="bilinear")


def sample(y: torch.Tensor, options: Options) -> tuple[torch.Tensor, list[torch.Tensor]]:
    losses: list[torch.Tensor] = []
    network = cast(KernelUNet, Network())
    generator = torch.Generator().manual_seed(7)
    found = sample_published(network, solver, y, options, generator, lambda _: None, losses.append)
    return found, losses


def loss_by_hand(y: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """The published reblurring loss of one patch, the mirrored photo blurred pixel by pixel."""
    kernel = ((k + 1) / 2).clamp(min=0)
    kernel = kernel / kernel.sum()
    padded = F.pad(solver(y, kernel), (31, 32, 31, 32), mode="reflect").transpose(0, 1)
    blurred = F.conv2d(padded, kernel.flip(-2, -1)).transpose(0, 1)
    return (blurred - y).square().mean()


def test_unguided_sampling_is_ancestral_over_a_thousand_steps() -> None:
    y, network, generator = patches(), Network(), torch.Generator().manual_seed(7)
    found, losses = sample(y, replace(PAPER, guidance=0.0))
    beta = np.linspace(1e-4, 0.02, 1000)
    signal = np.cumprod(1 - beta)
    before = np.append(1.0, signal[:-1])
    k = torch.randn((1, 1, 64, 64), generator=generator).double()
    for t in reversed(range(1000)):  # Ho et al. 2020, eqs. 6 and 7
        k0 = network.belief + 0.1 * k + y.mean()
        mean = np.sqrt(before[t]) * beta[t] / (1 - signal[t]) * k0
        mean = mean + np.sqrt(1 - beta[t]) * (1 - before[t]) / (1 - signal[t]) * k
        noise = torch.randn(k.shape, generator=generator) if t else torch.zeros(k.shape)
        k = mean + np.sqrt(beta[t] * (1 - before[t]) / (1 - signal[t])) * noise
    torch.testing.assert_close(found, k.float(), rtol=1e-3, atol=1e-3)
    assert losses == []


def test_the_slope_is_that_of_the_published_loss() -> None:
    y, k = patches()[..., :96, :96], 0.8 * Network().belief.clamp(-1, 1)
    gradient, loss = slope(solver, y, k)
    expected = loss_by_hand(y, k.requires_grad_())
    (by_hand,) = torch.autograd.grad(expected, k)
    torch.testing.assert_close(loss[0], expected.detach(), rtol=1e-4, atol=0)
    torch.testing.assert_close(gradient, by_hand, rtol=1e-3, atol=1e-3 * float(by_hand.abs().max()))
    sparse, total = slope(solver, y, k, 0.5)
    torch.testing.assert_close(total, loss + 0.5 * (k.detach() + 1).mean())
    torch.testing.assert_close(sparse - gradient, torch.full_like(k, 0.5 / 64**2), rtol=1e-3, atol=1e-7)


def test_guidance_moves_the_step_by_c_times_the_slope_of_the_log_loss() -> None:
    y = patches(2)
    free, _ = sample(y, replace(PAPER, steps=1, guidance=0.0, samples=2))
    guided, losses = sample(y, replace(PAPER, steps=1, guidance=0.3, samples=2))
    gradient, loss = slope(solver, y.repeat_interleave(2, 0), free.clamp(-1, 1))  # here k_t is k_0
    assert float(free.abs().max()) > 1  # which the step itself does not clamp
    torch.testing.assert_close(guided, free - 0.3 * gradient / loss[:, None, None, None])
    assert torch.equal(losses[0], loss)


def swinging(y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Sharpens and blurs in turns as the kernel's peaks rise, so that steps go too far."""
    around = F.avg_pool2d(y, 5, 1, 2)
    return y + (y - around) * torch.cos(2e4 * kernel.square().sum((1, 2, 3), keepdim=True))


def descend_as_published(y: torch.Tensor, k: torch.Tensor, steps: int) -> tuple[torch.Tensor, int]:
    """Stage II with the published code's bookkeeping: a step too far is popped, and its start tried again."""
    rate, before, kept, done, halvings = 1e3, np.inf, [], 0, 0
    while done < steps:
        gradient, loss = slope(swinging, y, k, 1e-4)
        kept.append(k)
        k = k - rate * gradient
        change, before = before - float(loss), float(loss)
        if change < 0 and abs(change / float(loss)) > 1e-6:
            rate, halvings, done = rate / 2, halvings + 1, done - 1
            kept.pop()
            k = kept.pop()
        else:
            done += 1
    return k, halvings


def test_refinement_halves_and_repeats_as_published() -> None:
    y = 30 * patches(2)  # so bright that the published rate is too high at first
    start = 0.5 * torch.cat([Network().belief, Network().belief.flip(-1)]).clamp(-1, 1)
    expected, halvings = zip(
        *(descend_as_published(*one, 5) for one in zip(y.split(1), start.split(1), strict=True)), strict=True
    )
    assert sum(halvings) > 0  # or this would show nothing
    progress: list[float] = []
    found = refine_published(swinging, y, start, 5, progress.append)
    kernel = ((torch.cat(expected) + 1) / 2).clamp(min=0)
    torch.testing.assert_close(found, kernel / kernel.sum((-2, -1), keepdim=True), rtol=0, atol=0)
    assert len(progress) == 10
    assert progress == sorted(progress)
    assert progress[-1] == 1


def test_no_steps_of_refinement_leave_the_kernel() -> None:
    k = Network().belief
    kernel = ((k + 1) / 2).clamp(min=0)
    found = refine_published(solver, patches(), k, 0, lambda _: None)
    torch.testing.assert_close(found, kernel / kernel.sum())


@pytest.mark.parametrize("preset", ["fast", "balanced", "best"])
def test_other_presets_say_what_to_do(preset: str) -> None:
    with torch.device("meta"):
        network = KernelUNet()
    models = Models(network, cast(Any, solver), Judge(), torch.device("cpu"), "paper")
    image = patches()[0].permute(1, 2, 0).numpy()
    with pytest.raises(UsageError, match=f"cannot do what the preset {preset} does: use --preset paper"):
        estimate_image_kernel(image, models, PRESETS[preset])


def test_the_estimate_is_both_stages_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        network = KernelUNet()
    stand_in = Network()
    network.schedule = stand_in.schedule
    monkeypatch.setattr(network, "denoise", stand_in.denoise)
    monkeypatch.setattr(network, "condition", stand_in.condition)
    models = cast(Models, SimpleNamespace(kernel=network, solver=solver, device=torch.device("cpu")))
    image = patches()[0].permute(1, 2, 0).numpy()
    options = replace(PAPER, steps=3, refine_steps=2, samples=2, seed=4)
    first = estimate_image_kernel(image, models, options)
    assert first.kernel.sum() == pytest.approx(1, abs=1e-5)
    assert [len(curve) for curve in first.residuals] == [3, 3]
    assert {"sample", "refine"} <= set(first.seconds)
    np.testing.assert_array_equal(estimate_image_kernel(image, models, options).kernel, first.kernel)
    y = torch.from_numpy(image).permute(2, 0, 1)[None]
    generator = torch.Generator().manual_seed(4)
    k = sample_published(network, solver, y, options, generator, lambda _: None, lambda _: None)
    both = refine_published(solver, y, k, 2, lambda _: None)
    assert any(np.array_equal(first.kernel, each[0].numpy()) for each in both)
