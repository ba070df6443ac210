"""Noise, rounding, and JPEG without the file against JPEG with it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from kdcli.blur.degrade import add_noise, jpeg, soften, to_8_bit


def scene(channels: int, height: int = 72, width: int = 100) -> torch.Tensor:
    """A picture (1, C, H, W) with waves and an edge."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [0.5 + 0.25 * torch.sin(x / (3 + c) + y / 7) + 0.2 * (x > y + 10 * c) for c in range(channels)]
    return to_8_bit(torch.stack(waves)[None])


def test_rounding_clips_and_has_256_levels() -> None:
    found = to_8_bit(torch.tensor([-1.0, 0.0019, 0.002, 0.5, 1.2]))
    torch.testing.assert_close(found * 255, torch.tensor([0.0, 0.0, 1.0, 128.0, 255.0]))


@pytest.mark.parametrize(("signal", "factor"), [(0.5, 1.0), (0.0, 0.5**0.5), (1.0, 1.5**0.5)])
def test_noise_grows_with_the_signal(signal: float, factor: float) -> None:
    level = torch.tensor([0.01, 0.1])
    image = torch.full((2, 3, 100, 100), signal)
    noise = add_noise(image, level, torch.Generator().manual_seed(0)) - image
    torch.testing.assert_close(noise.std((1, 2, 3)), factor * level, rtol=0.02, atol=0)


def test_coarse_noise_is_as_strong_and_its_neighbours_are_alike() -> None:
    image, level = torch.full((2, 1, 200, 200), 0.5), torch.tensor([0.01, 0.1])
    white, coarse = (
        add_noise(image, level, torch.Generator().manual_seed(0), torch.tensor(grain)) - image
        for grain in ([0.0, 0.0], [0.7, 0.7])
    )
    torch.testing.assert_close(coarse.std((1, 2, 3)), level, rtol=0.02, atol=0)
    for noise, wanted in ((white, 0.0), (coarse, 0.6)):  # exp(-1 / (4 * 0.7**2)) for neighbours
        alike = (noise[..., 1:] * noise[..., :-1]).mean((1, 2, 3)) / noise.square().mean((1, 2, 3))
        torch.testing.assert_close(alike, torch.full((2,), wanted), rtol=0, atol=0.03)


def test_softness_is_a_gaussian_of_its_width() -> None:
    point = torch.zeros(2, 1, 65, 65)
    point[..., 32, 32] = 1
    soft = soften(point, torch.tensor([0.0, 1.5]))
    torch.testing.assert_close(soft[:1], point[:1], rtol=0, atol=1e-6)
    places = torch.arange(65.0) - 32
    assert float(soft[1].sum()) == pytest.approx(1, abs=1e-5)
    assert float((soft[1, 0].sum(0) * places**2).sum()) == pytest.approx(1.5**2, rel=1e-3)


# Colours are coarser in a file, which has a table of its own for them.
@pytest.mark.parametrize(
    ("channels", "quality", "share"), [(1, 90, 0.4), (1, 30, 0.4), (3, 90, 0.8), (3, 75, 0.8)]
)
def test_jpeg_is_nearly_that_of_a_file(channels: int, quality: int, share: float) -> None:
    image = scene(channels)
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "JPEG", quality=quality)
    real = np.asarray(Image.open(file), dtype=np.float32).reshape(pixels.shape) / 255
    ours = jpeg(image, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy()
    loss = np.sqrt(np.square(real - pixels / 255.0).mean())
    assert np.sqrt(np.square(ours - real).mean()) < share * loss


def test_jpeg_above_100_leaves_a_sample_alone() -> None:
    image = scene(3).expand(2, -1, -1, -1)
    found = jpeg(image, torch.tensor([101.0, 20.0]))
    torch.testing.assert_close(found[0], image[0])
    assert (found[1] - image[1]).abs().max() > 0.05
