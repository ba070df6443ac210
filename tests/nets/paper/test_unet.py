"""Kernel-Diff's U-Net against a reference written from its architecture and the published file's names."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from kdcli.nets.paper.unet import KernelUNet
from tests.nets.paper.conftest import State, digest, randomise

# Of the published code's KernelUNet(), built on its own.
PUBLISHED = "33ccef2bace43c78574dd44230eb9dd542ed418a953cd85be57a7a4a3bb421a4"


@pytest.fixture(scope="module")
def net() -> KernelUNet:
    network = KernelUNet()
    randomise(network)
    return network


def test_names_and_shapes_are_the_published_files(net: KernelUNet) -> None:
    assert len(net.state_dict()) == 248
    assert sum(value.numel() for value in net.state_dict().values()) == 36_705_281
    assert digest(net) == PUBLISHED


def conv(state: State, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state[f"{name}.bias"], stride, weight.shape[-1] // 2)


def norm(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    """Group norm by hand: 32 groups."""
    parts = x.reshape(len(x), 32, -1)
    parts = (parts - parts.mean(-1, keepdim=True)) / (
        parts.var(-1, keepdim=True, unbiased=False) + 1e-5
    ).sqrt()
    shape = (1, -1, *[1] * (x.ndim - 2))
    return parts.reshape(x.shape) * state[f"{name}.weight"].view(shape) + state[f"{name}.bias"].view(shape)


def linear(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def silu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x)


def block(state: State, name: str, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
    h = conv(state, f"{name}.in_layers.2", silu(norm(state, f"{name}.in_layers.0", x)))
    h = h + linear(state, f"{name}.emb_layers.1", silu(embedding))[:, :, None, None]
    h = conv(state, f"{name}.out_layers.3", silu(norm(state, f"{name}.out_layers.0", h)))
    skip = f"{name}.skip_connection"
    return h + (conv(state, skip, x) if f"{skip}.weight" in state else x)


def attention(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    n, channels, height, width = x.shape
    places = norm(state, f"{name}.norm", x.reshape(n, channels, -1))
    qkv = torch.einsum("oc,nct->not", state[f"{name}.qkv.weight"][..., 0], places)
    q, k, v = (qkv + state[f"{name}.qkv.bias"][:, None]).split(channels, dim=1)
    share = torch.einsum("nct,ncs->nts", q, k).div(math.sqrt(channels)).exp()
    mixed = torch.einsum("nts,ncs->nct", share / share.sum(-1, keepdim=True), v)
    out = torch.einsum("oc,nct->not", state[f"{name}.proj_out.weight"][..., 0], mixed)
    return x + (out + state[f"{name}.proj_out.bias"][:, None]).reshape(n, channels, height, width)


def encoder(
    state: State, name: str, x: torch.Tensor, t: list[int]
) -> tuple[list[torch.Tensor], torch.Tensor]:
    angles = torch.tensor([[time / 10000 ** (i / 16) for i in range(16)] for time in t])
    wave = torch.cat([torch.cos(angles), torch.sin(angles)], 1)
    embedding = linear(state, f"{name}.time_embed.2", silu(linear(state, f"{name}.time_embed.0", wave)))
    kept = [conv(state, f"{name}.input_blocks.0.0", x)]
    for number in range(1, 8):
        layer = f"{name}.input_blocks.{number}.0"
        reduces = number % 2 == 0
        x = kept[-1]
        kept.append(conv(state, f"{layer}.op", x, 2) if reduces else block(state, layer, x, embedding))
    return kept, embedding


def reference(state: State, k_t: torch.Tensor, y: torch.Tensor, t: list[int]) -> torch.Tensor:
    enlarged = F.interpolate(k_t, scale_factor=4, mode="bilinear", align_corners=False)
    of_kernel, of_time = encoder(state, "encoder_kernel", enlarged, t)
    of_photo, also_of_time = encoder(state, "encoder_image", y, t)
    embedding = torch.cat([of_time, also_of_time], 1)
    kept = [torch.cat(both, 1) for both in zip(of_kernel, of_photo, strict=True)]
    x = block(state, "middle_unet.middle_block.0", kept[-1], embedding)
    x = attention(state, "middle_unet.middle_block.1", x)
    x = block(state, "middle_unet.middle_block.2", x, embedding)
    for number in range(8):
        layer = f"decoder.output_blocks.{number}"
        x = block(state, f"{layer}.0", torch.cat([x, kept.pop()], 1), embedding)
        if number in (1, 3, 5):
            x = conv(state, f"{layer}.1.conv", x.repeat_interleave(2, -1).repeat_interleave(2, -2))
    x = conv(state, "decoder.out.2", silu(norm(state, "decoder.out.0", x)))
    side = x.shape[-1] // 64
    return x.reshape(len(x), 1, 64, side, 64, side).mean((3, 5))


# The network takes other sizes than it is used at: a quarter is the same arithmetic in less time.
@pytest.mark.parametrize(("side", "times"), [(32, [421]), (16, [0, 999])])
def test_agrees_with_the_reference(net: KernelUNet, side: int, times: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    k_t = torch.randn((len(times), 1, side, side), generator=generator)
    y = torch.rand((len(times), 3, 4 * side, 4 * side), generator=generator) * 2 - 1
    state = State(net)
    expected = reference(state, k_t, y, times)
    assert not state.left  # every number of the file counts
    assert float(expected.std()) > 0.1
    found = net(k_t, y, torch.tensor(times))
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)


def test_the_prediction_becomes_a_kernel_by_the_linear_schedule(
    net: KernelUNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches = torch.rand((1, 3, 256, 256), generator=torch.Generator().manual_seed(2))
    k_t, noise = torch.randn((2, 1, 1, 64, 64), generator=torch.Generator().manual_seed(3))
    seen: list[torch.Tensor] = []

    def predict(*arguments: torch.Tensor) -> torch.Tensor:
        seen.extend(arguments)
        return noise

    monkeypatch.setattr(net, "forward", predict)
    found = net.denoise(k_t, torch.tensor([500]), net.condition(patches))
    signal = math.prod(1 - (1e-4 + (0.02 - 1e-4) * i / 999) for i in range(501))
    torch.testing.assert_close(found, (k_t - math.sqrt(1 - signal) * noise) / math.sqrt(signal))
    assert torch.equal(seen[0], k_t)
    torch.testing.assert_close(seen[1], patches * 2 - 1)
    assert seen[2].tolist() == [500]
