"""The spectral likelihood: its descent is the gradient, and it tells the true blur from none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve, otf
from kdcli.blur.families import sample
from kdcli.blur.kernels import impulse
from kdcli.blur.spectrum import SpectralLikelihood


def pink(seed: int, size: int) -> torch.Tensor:
    """Noise (1, 1, size, size) whose spectrum falls like a photo's."""
    noise = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(seed))
    rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    return torch.fft.irfft2(torch.fft.rfft2(noise) / (rows**2 + columns**2 + 1 / size**2).sqrt())


def central_differences(x: torch.Tensor) -> torch.Tensor:
    dx, dy = ((x.roll(-1, d) - x.roll(1, d)) / 2 for d in (-1, -2))
    return torch.cat([dx, dy], dim=1)


@pytest.fixture
def kernels() -> torch.Tensor:
    return torch.from_numpy(sample("motion", 6, np.random.default_rng(0)))[:, None]


def test_descent_is_minus_the_gradient_with_the_scale_held(kernels: torch.Tensor) -> None:
    model = SpectralLikelihood(central_differences(convolve(pink(0, 96), kernels[:1], "circular")))
    kernel = kernels[1:2].clone().requires_grad_()
    with torch.no_grad():
        expected, _ = model.model(kernel)
        power = model.shape * otf(kernel, model.size).abs().square()
        scale = ((expected - model.noise) / power).nanmedian()
    twice = torch.full((49,), 2.0)  # the half spectrum stands for the whole
    twice[0] = twice[-1] = 1
    expected = scale * model.shape * otf(kernel, model.size).abs().square() + model.noise
    whole = (model.band * twice * (expected.log() + model.periodogram / expected)).sum()
    whole.backward()
    assert kernel.grad is not None
    found = 2 * 96 * 96 * model.descent(kernel.detach())
    torch.testing.assert_close(found, -kernel.grad, rtol=1e-3, atol=1e-3 * float(found.abs().max()))


def test_a_photo_without_edges_has_no_ghosts() -> None:
    assert SpectralLikelihood(torch.zeros(1, 2, 96, 96)).cepstrum(64).isfinite().all()


def test_the_loss_prefers_the_true_blur_to_none_and_to_others(kernels: torch.Tensor) -> None:
    for i in range(3):
        model = SpectralLikelihood(
            central_differences(convolve(pink(i, 128), kernels[i : i + 1], "circular"))
        )
        true = model.loss(kernels[i : i + 1])
        others = [kernels[(i + 1) % 6], kernels[(i + 2) % 6], impulse()[None]]
        assert true.shape == (1,)
        assert all(true < model.loss(other[None]) for other in others)


def test_the_loss_knows_no_phase(kernels: torch.Tensor) -> None:
    model = SpectralLikelihood(central_differences(pink(1, 96)))
    turned = torch.zeros_like(kernels)
    turned[..., 1:, 1:] = kernels[..., 1:, 1:].flip(-1, -2)
    whole = kernels.clone()
    whole[..., 0, :] = whole[..., 0] = 0
    torch.testing.assert_close(model.loss(whole[:1]), model.loss(turned[:1]), rtol=1e-4, atol=1e-4)
    assert (model.loss(whole[:1]) - model.loss(whole[1:2])).abs() > 1e-3


def test_the_cepstrum_shows_a_double_exposures_distance() -> None:
    kernel = torch.zeros(1, 1, 64, 64)
    kernel[0, 0, 32, 25] = kernel[0, 0, 32, 39] = 0.5  # 14 pixels apart
    model = SpectralLikelihood(central_differences(convolve(pink(2, 192), kernel, "circular")))
    row = model.cepstrum(64)[0, 0, 32]
    row[28:37] = 0  # the image's own part
    assert abs(int(row.abs().argmax()) - 32) == 14
