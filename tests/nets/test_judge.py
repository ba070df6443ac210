"""The judge: what it is shown, and on which scale it answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.noise import ROUNDING
from kdcli.nets.judge import Judge, closeness, evidence


@pytest.fixture
def judge() -> Judge:
    torch.manual_seed(0)
    network = Judge(photo=(16, 16), kernel=(16, 16))
    for block in network.photo.blocks:  # at first a network sees nothing
        torch.nn.init.normal_(block.conv2.weight, std=0.1)  # type: ignore[arg-type, union-attr]
    return network.eval()


def images(count: int, side: int = 48) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(count))


def noise(level: float, count: int = 1) -> torch.Tensor:
    return torch.full((count, 1, 1, 1), level)


def test_brightness_and_contrast_of_a_photo_do_not_matter() -> None:
    y, left = images(2), 0.01 * images(2)
    seen = evidence(y, y, left, noise(0.01, 2))
    darker = evidence(0.5 * y + 0.1, 0.5 * y + 0.1, 0.5 * left, noise(0.005, 2))
    torch.testing.assert_close(seen[:, :4], darker[:, :4], atol=1e-4, rtol=0)


def test_what_is_left_counts_in_multiples_of_the_noise_and_stays_bounded() -> None:
    y = images(1)
    left = torch.tensor([0.0, 0.003, 1.0]).repeat_interleave(16).expand(1, 1, 48, 48)
    loud, quiet = (evidence(y, y, left, noise(level))[0, 2, 0] for level in (0.01, 0.001))
    assert loud[0] == quiet[0] == 0
    assert 0 < loud[16] < quiet[16] < 1.5
    assert loud[47] == quiet[47] == 1.5
    assert (evidence(y, y, left, noise(ROUNDING))[:, 4] == 0).all()


def test_sides_are_cut_to_what_the_network_can_halve() -> None:
    y = torch.rand(1, 1, 70, 95)
    assert evidence(y, y, y, noise(0.01)).shape == (1, 5, 64, 80)


def test_judgements_are_of_each_photo_and_kernel_by_itself(judge: Judge) -> None:
    kernels = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(5))
    seen = evidence(images(3), images(3).flip(0), images(3) - 0.5, noise(0.01, 3))
    together = judge.likeness(seen, kernels)
    assert together.shape == (3,)
    assert ((together >= 0) & (together <= 1)).all()
    alone = torch.cat([judge.likeness(seen[i : i + 1], kernels[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=0.02, rtol=0)
    assert together.unique().numel() == 3


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_kernel_counts_by_its_shape(judge: Judge, scale: float) -> None:
    kernel, seen = torch.rand(1, 1, 64, 64), torch.rand(1, 5, 64, 64)
    assert torch.allclose(judge(seen, scale * kernel), judge(seen, kernel), atol=0.02)


def test_the_scale_of_closeness_there_and_back(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    likeness = torch.from_numpy(np.linspace(0, 1, 11))
    close = closeness(likeness)
    assert (close.diff() > 0).all()
    assert close[-1] - close[-2] > 2 * (close[5] - close[4])  # what is nearly right is told apart
    monkeypatch.setattr(Judge, "forward", lambda _self, _seen, _kernel: close)
    torch.testing.assert_close(judge.likeness(close, close), likeness)
    monkeypatch.setattr(Judge, "forward", lambda _self, _seen, _kernel: torch.tensor([-9.0, 9.0]))
    assert judge.likeness(close, close).tolist() == [0, 1]
