"""Convolution by FFT against the definition, and against the pairs that the paper's protocol made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdcli.blur.convolve import Border, convolve, crop_lags, gaussian_otf, otf, pad_reflect

BORDERS: list[Border] = ["reflect", "circular", "valid"]


def direct(image: np.ndarray, kernel: np.ndarray, border: Border) -> np.ndarray:
    """y[i] = sum_j k[j] x[i - (j - K/2)], tap by tap, on one plane."""
    k, (height, width) = len(kernel), image.shape
    if border == "valid":
        first, height, width = k - 1 - k // 2, height - k + 1, width - k + 1
        padded, origin = image, first
    else:
        padded, origin = np.pad(image, k, mode="reflect" if border == "reflect" else "wrap"), k
    total = np.zeros((height, width))
    for row in range(k):
        for column in range(k):
            top, left = origin - (row - k // 2), origin - (column - k // 2)
            total += kernel[row, column] * padded[top : top + height, left : left + width]
    return total


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(("size", "k"), [((17, 22), 6), ((9, 8), 8), ((70, 81), 64)])
def test_convolution_is_its_definition(border: Border, size: tuple[int, int], k: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(2, 3, *size))
    kernel = rng.uniform(size=(2, 1, k, k))
    kernel /= kernel.sum((-2, -1), keepdims=True)
    found = convolve(torch.from_numpy(image).float(), torch.from_numpy(kernel).float(), border).numpy()
    wanted = [[direct(plane, taps[0], border) for plane in x] for x, taps in zip(image, kernel, strict=True)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_an_image_smaller_than_the_kernel_is_mirrored_more_than_once() -> None:
    rng = np.random.default_rng(1)
    image, kernel = rng.uniform(size=(5, 20)), rng.uniform(size=(64, 64))
    found = convolve(torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None])
    np.testing.assert_allclose(found[0, 0], direct(image, kernel, "reflect"), rtol=1e-9)


@pytest.mark.parametrize("border", ["circular", "valid"])
def test_other_borders_refuse_an_image_smaller_than_the_kernel(border: Border) -> None:
    with pytest.raises(ValueError, match="smaller than the kernel"):
        convolve(torch.zeros(1, 1, 63, 80), torch.zeros(1, 1, 64, 64), border)


@pytest.mark.parametrize(("size", "margin"), [((7, 9), 3), ((4, 6), 32), ((1, 5), 2)])
def test_reflection_is_that_of_numpy(size: tuple[int, int], margin: int) -> None:
    image = np.random.default_rng(2).uniform(size=size)
    found = pad_reflect(torch.from_numpy(image), margin)
    np.testing.assert_array_equal(found, np.pad(image, margin, mode="reflect"))


def test_the_transfer_function_is_the_kernels_spectrum_about_its_origin() -> None:
    kernel = torch.zeros(8, 8)
    kernel[4, 4] = 1
    torch.testing.assert_close(otf(kernel, (10, 12)), torch.ones(10, 7, dtype=torch.complex64))
    moved = kernel.roll(1, 0)
    rows = torch.fft.fftfreq(10)[:, None].expand(10, 7)
    torch.testing.assert_close(otf(moved, (10, 12)), torch.exp(-2j * torch.pi * rows))


def test_whole_spectra_hold_the_halves() -> None:
    kernel = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    width = torch.tensor([0.5, 1.5])
    for half, whole in (
        (otf(kernel, (10, 12)), otf(kernel, (10, 12), whole=True)),
        (gaussian_otf(width, (10, 12)), gaussian_otf(width, (10, 12), whole=True)),
    ):
        assert whole.shape == (2, 1, 10, 12)
        torch.testing.assert_close(whole[..., :7], half)
        # Of real images: the other half is its conjugate, mirrored.
        torch.testing.assert_close(whole[..., 1:, 1:], whole[..., 1:, 1:].flip(-2, -1).conj().resolve_conj())


def test_crop_lags_has_zero_in_the_middle() -> None:
    maps = torch.zeros(20, 30)
    maps[0, 0], maps[2, 29], maps[18, 3] = 1, 2, 3
    found = crop_lags(maps, 8)
    assert found.shape == (8, 8)
    assert (found[4, 4], found[6, 3], found[2, 7]) == (1, 2, 3)


@pytest.mark.parametrize("border", BORDERS)
def test_differentiable_in_image_and_kernel(border: Border) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 2, 7, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    kernel = torch.rand(1, 1, 4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, k: convolve(x, k, border), (image, kernel))


def test_reblurring_gives_every_pair_of_the_benchmark(data: Path) -> None:
    folder = data / "bsd100_motion"
    kernels = np.load(folder / "kernels.npy")
    assert len(kernels) == 100
    for index, kernel in enumerate(kernels):
        sharp, blurred = (
            np.asarray(Image.open(folder / part / f"{index:03}.png"), dtype=np.float32)
            for part in ("sharp", "blurred")
        )
        x = torch.from_numpy(sharp).permute(2, 0, 1)[None]
        found = convolve(x, torch.from_numpy(kernel)[None, None])[0].permute(1, 2, 0).numpy()
        worst = np.abs(found - blurred).max()
        assert worst < 0.501, f"pair {index:03} is {worst} of 255 levels off"
