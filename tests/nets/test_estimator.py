"""The kernel estimator: its scales, its units, and what depends on the time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.families import sample
from kdcli.blur.kernels import impulse
from kdcli.nets.estimator import (
    KernelNet,
    expand_kernel,
    from_units,
    luminance,
    reduce_image,
    reduce_kernel,
    to_units,
)
from kdcli.nets.lagspace import standardise
from kdcli.nets.schedule import STEPS


@pytest.fixture
def kernels() -> torch.Tensor:
    """Kernels (4, 1, 64, 64) that keep away from the canvas' rim."""
    drawn = torch.from_numpy(sample("shake", 4, np.random.default_rng(0)))[:, None]
    drawn[..., :2, :], drawn[..., -2:, :], drawn[..., :2], drawn[..., -2:] = 0, 0, 0, 0
    return drawn / drawn.sum((-2, -1), keepdim=True)


@pytest.fixture
def photo() -> torch.Tensor:
    """Standardised luminance (2, 1, 96, 112)."""
    noise = torch.rand(2, 1, 96, 112, generator=torch.Generator().manual_seed(0))
    return standardise(torch.nn.functional.avg_pool2d(noise, 3, 1, 1))


def test_reduce_and_expand_are_adjoint() -> None:
    generator = torch.Generator().manual_seed(0)
    whole = torch.rand(1, 1, 64, 64, generator=generator, dtype=torch.float64)
    half = torch.rand(1, 1, 32, 32, generator=generator, dtype=torch.float64)
    torch.testing.assert_close((reduce_kernel(whole) * half).sum(), 4 * (whole * expand_kernel(half)).sum())


def test_reduce_and_expand_keep_mass_and_place(kernels: torch.Tensor) -> None:
    half = reduce_kernel(kernels)
    assert half.shape == (4, 1, 32, 32)
    torch.testing.assert_close(half.sum((-2, -1)), torch.ones(4, 1))
    torch.testing.assert_close(expand_kernel(half).sum((-2, -1)), torch.ones(4, 1))
    for axis in (-1, -2):
        shifts, half_shifts = torch.arange(64.0) - 32, torch.arange(32.0) - 16
        torch.testing.assert_close(
            2 * (half.sum(axis) * half_shifts).sum(-1),
            (kernels.sum(axis) * shifts).sum(-1),
            rtol=0,
            atol=1e-4,
        )
    torch.testing.assert_close(reduce_kernel(impulse()[None, None]), impulse(32)[None, None])


def test_a_reduced_kernel_does_to_the_reduced_image_what_the_whole_does(photo: torch.Tensor) -> None:
    even = torch.zeros(1, 1, 64, 64)
    even[0, 0, 28:40:4, 30:37:2] = torch.rand(3, 4, generator=torch.Generator().manual_seed(1))
    small = convolve(reduce_image(photo), reduce_kernel(even), "circular")
    torch.testing.assert_close(small, reduce_image(convolve(photo, even, "circular")))


def test_units_are_from_minus_one_to_one_and_back(kernels: torch.Tensor) -> None:
    units = to_units(kernels)
    assert units.amin() == -1
    torch.testing.assert_close(units.amax((-2, -1)), torch.ones(4, 1))
    torch.testing.assert_close(from_units(units), kernels)
    assert from_units(units - 0.5).amin() == 0
    torch.testing.assert_close(from_units(units - 0.5).sum((-2, -1)), torch.ones(4, 1))


def test_luminance() -> None:
    colours = torch.eye(3)[:, :, None, None]
    torch.testing.assert_close(luminance(colours)[:, 0, 0, 0], torch.tensor([0.299, 0.587, 0.114]))
    grey = torch.rand(2, 1, 4, 4)
    assert luminance(grey) is grey


@pytest.mark.parametrize("scale", [1, 2])
def test_only_the_denoiser_runs_at_every_time(net: KernelNet, photo: torch.Tensor, scale: int) -> None:
    calls = []
    net.encoder.register_forward_hook(lambda *_: calls.append(1))
    size = 64 // scale
    y = photo if scale == 1 else reduce_image(torch.cat([photo, photo], -1)[..., :96])
    condition, guess = net.encode(y, impulse(size).expand(2, 1, -1, -1))
    assert guess.shape == (2, 2, 2, *y.shape[-2:])
    assert condition.shape[2:] == (size, size)
    before = condition.clone()
    noise = torch.randn(2, 1, size, size, generator=torch.Generator().manual_seed(1))
    early = net.denoise(noise, torch.tensor([10, 10]), condition)
    late = net.denoise(noise, torch.tensor([STEPS - 1, STEPS - 1]), condition)
    assert early.shape == noise.shape
    assert early.dtype == torch.float32
    assert (early - late).abs().max() > 1e-3  # the time does reach the denoiser
    assert calls == [1]
    torch.testing.assert_close(condition, before, rtol=0, atol=0)


def test_the_current_kernel_reaches_the_condition(net: KernelNet, photo: torch.Tensor) -> None:
    line = torch.zeros(2, 1, 64, 64)
    line[..., 32, 27:38] = 1 / 11
    one, _ = net.encode(photo, impulse().expand(2, 1, -1, -1))
    other, _ = net.encode(photo, line)
    changed = (one - other).abs().amax((0, 2, 3)) > 1e-3
    assert changed[:8].all()  # the quotients, by way of what the encoder is shown
    assert not changed[8:10].any()  # the blurred photo's own autocorrelation


def test_an_open_gate_passes_the_current_kernel_on(
    net: KernelNet, photo: torch.Tensor, kernels: torch.Tensor
) -> None:
    condition, _ = net.encode(photo, kernels[:2])
    tail = net.denoiser.tail
    tail.weight[4:], tail.bias[4:] = 0, 1
    noise, t = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1)), torch.tensor([9, 99])
    # bfloat16 has eight bits.
    torch.testing.assert_close(net.denoise(noise, t, condition), to_units(kernels[:2]), rtol=0, atol=0.05)
    tail.bias[4:] = 0
    anew = net.denoise(noise, t, condition)
    assert (anew - to_units(kernels[:2])).abs().max() > 0.5
    tail.bias[4:] = 0.5
    halfway = (anew + to_units(kernels[:2])) / 2
    torch.testing.assert_close(net.denoise(noise, t, condition), halfway, rtol=0, atol=0.05)


def test_a_gate_begins_closed() -> None:
    tail = KernelNet(encoder=(16, 16, 16), denoiser=(16, 16, 16)).denoiser.tail
    assert tail.weight[4:].abs().max() == 0
    assert tail.bias is not None
    assert tail.bias[4:].abs().max() == 0
    assert tail.weight[:4].abs().min() > 0


def test_a_prediction_is_a_kernel_and_each_photos_own(net: KernelNet, photo: torch.Tensor) -> None:
    start = impulse().expand(2, 1, -1, -1)
    both = net.predict(photo, start)
    torch.testing.assert_close(both.sum((-2, -1)), torch.ones(2, 1))
    assert both.amin() >= 0
    alone = net.predict(photo[1:], start[1:])
    # bfloat16 may round differently in another batch.
    torch.testing.assert_close(alone, both[1:], rtol=0.05, atol=1e-4)
    torch.testing.assert_close(net.predict(photo, start), both, rtol=0, atol=0)
