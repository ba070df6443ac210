"""DWDN against a reference written from its paper and names, map by map in the Fourier domain."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import median_filter as median_of_scipy

from kdcli.nets.paper.dwdn import DWDN, median_filter, wiener
from tests.nets.paper.conftest import State, digest, randomise

# Of the published code's DEBLUR(), built on its own.
PUBLISHED = "722ffb66325582b50eab743e03aaf3efb4f5be451e71bb8b036e940cc90da1df"


@pytest.fixture(scope="module")
def net() -> DWDN:
    network = DWDN()
    randomise(network)
    return network


def photos(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def kernels(count: int) -> torch.Tensor:
    """Kernels that no flip or turn leaves as they are."""
    k = torch.rand((count, 1, 64, 64), generator=torch.Generator().manual_seed(2)) ** 30
    k[..., :20, :] = 0
    return k / k.sum((-2, -1), keepdim=True)


def test_names_and_shapes_are_the_published_files(net: DWDN) -> None:
    assert len(net.state_dict()) == 112
    assert sum(value.numel() for value in net.state_dict().values()) == 7_049_507
    assert digest(net) == PUBLISHED


def conv(state: State, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
    return F.conv2d(x, state[f"{name}.body.0.weight"], state[f"{name}.body.0.bias"], stride, 2)


def residual(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return x + conv(state, f"{name}.body.2", conv(state, f"{name}.body.0", x).clamp(min=0))


def residuals(state: State, name: str, x: torch.Tensor, first: int) -> torch.Tensor:
    for number in range(first, first + 3):
        x = residual(state, f"{name}.{number}", x)
    return x


def entrance(state: State, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
    return residuals(state, name, conv(state, f"{name}.0", x, stride).clamp(min=0), 1)


def exit_up(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    x = residuals(state, name, x, 0)
    weight, bias = state[f"{name}.3.body.0.weight"], state[f"{name}.3.body.0.bias"]
    return F.conv_transpose2d(x, weight, bias, 2, 1, 1).clamp(min=0)


def deconvolved(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Wiener's filter on one map (H, W), in double precision and whole spectra."""
    padded = np.pad(plane.astype(np.float64), 65, mode="edge")
    height, width = padded.shape
    canvas = np.zeros_like(padded)
    for row in range(64):
        for column in range(64):
            canvas[(row - 32) % height, (column - 32) % width] += kernel[row, column]
    noise = median_of_scipy(padded, size=3, mode="mirror") - padded
    pixels = height * height
    spread = [((part - part.sum() / pixels) ** 2).sum() / (pixels - 1) for part in (noise, padded)]
    ratio = spread[0] / np.sqrt(spread[1]) * 8 / 3 / 10
    k = np.fft.fft2(canvas)
    clear = np.fft.ifft2(np.fft.fft2(padded) * np.conj(k) / (np.abs(k) ** 2 + ratio))
    return clear.real[65:-65, 65:-65]


def scale(state: State, x: torch.Tensor) -> torch.Tensor:
    half = entrance(state, "encoder_first", x, 2)
    quarter = entrance(state, "encoder_second", half, 2)
    half = half + exit_up(state, "decoder_second", quarter)
    return residuals(state, "outBlock", x + exit_up(state, "decoder_first", half), 0)


def reference(state: State, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    features = entrance(state, "FeatureBlock", y)
    clear = torch.empty_like(features)
    for n, maps in enumerate(features):
        for channel, plane in enumerate(maps):
            clear[n, channel] = torch.from_numpy(deconvolved(plane.numpy(), kernel[n, 0].numpy()))
    size = (y.shape[-2] // 2, y.shape[-1] // 2)
    small = F.interpolate(clear, size, mode="bilinear", align_corners=False)
    x = scale(state, entrance(state, "inBlock1", small))
    x = F.interpolate(x, y.shape[-2:], mode="bilinear", align_corners=False)
    x = scale(state, entrance(state, "inBlock2", torch.cat([clear, x], 1)))
    return conv(state, "outBlock2.0", x)


def test_agrees_with_the_reference(net: DWDN) -> None:
    y, kernel, state = photos(2, 3, 32, 48), kernels(2), State(net)
    expected = reference(state, y, kernel)
    assert not state.left
    assert float(expected.std()) > 0.1
    found = net(y, kernel)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    alone = net(y[1:], kernel[1:])
    torch.testing.assert_close(alone, found[1:], rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_other_sides_than_published_are_continued(net: DWDN) -> None:
    y, kernel = photos(1, 3, 21, 34), kernels(1)
    whole = F.pad(y, (0, 6, 0, 3), mode="replicate")
    assert net(y, kernel).shape == y.shape
    torch.testing.assert_close(net(y, kernel), net(whole, kernel)[..., :21, :34])


def test_the_median_is_that_of_nine() -> None:
    maps = photos(2, 3, 11, 14)
    expected = [[median_of_scipy(plane, size=3, mode="mirror") for plane in each] for each in maps.numpy()]
    torch.testing.assert_close(median_filter(maps), torch.from_numpy(np.array(expected)), rtol=0, atol=0)


def test_deconvolution_undoes_a_circular_shift() -> None:
    y = F.interpolate(photos(1, 2, 6, 6), size=(48, 48), mode="bicubic")
    kernel = torch.zeros(1, 1, 64, 64)
    kernel[..., 35, 30] = 1  # moves everything down by 3 and left by 2
    found = wiener(y, kernel)
    torch.testing.assert_close(found[..., 8:-8, 8:-8], y[..., 11:-5, 6:-10], atol=0.02, rtol=0)


def test_the_gradient_in_the_kernel_is_the_slope() -> None:
    net = DWDN(features=4, width=4)
    randomise(net).double()
    y, kernel = photos(1, 3, 16, 24).double(), kernels(1).double()
    direction = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(3)).double()
    kernel.requires_grad_()
    (gradient,) = torch.autograd.grad(net(y, kernel).square().mean(), kernel)
    with torch.no_grad():
        ahead, behind = (net(y, kernel + step * direction).square().mean() for step in (1e-7, -1e-7))
    assert float((gradient * direction).sum()) == pytest.approx(float(ahead - behind) / 2e-7, rel=1e-4)
