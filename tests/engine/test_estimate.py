"""Which looks are taken at a photo, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import kdcli.engine.estimate as estimate
from kdcli.blur.degrade import soften
from kdcli.blur.families import sample
from kdcli.blur.kernels import mnc
from kdcli.blur.turns import turn, turn_back, turn_kernel
from kdcli.engine.estimate import Looks, estimate_kernels
from kdcli.engine.fuse import fuse
from kdcli.engine.options import PRESETS, Options
from kdcli.nets.estimator import luminance
from kdcli.nets.lagspace import standardise
from kdcli.weights import Models

QUICK = replace(PRESETS["fast"], coarse=1, fine=1)


class Seen:
    """Stands in for both scales: says the kernels that it is told to, and writes down what it is shown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, coarse: torch.Tensor):
        self.coarse, self.views, self.turns = coarse, [], []  # type: ignore[var-annotated]
        self.fine: list[tuple[torch.Tensor, torch.Tensor, int]] = []
        monkeypatch.setattr(estimate, "alternate_coarse", self.at_half_the_scale)
        monkeypatch.setattr(estimate, "alternate_fine", self.at_the_whole)

    def at_half_the_scale(self, _network: Any, y: torch.Tensor, turns: int) -> torch.Tensor:
        first = sum(map(len, self.views))
        self.views.append(y)
        self.turns.append(turns)
        return self.coarse[first : first + len(y)]

    def at_the_whole(
        self, _network: Any, y: torch.Tensor, kernel: torch.Tensor, turns: int
    ) -> Iterator[torch.Tensor]:
        self.fine.append((y, kernel, turns))
        yield kernel


def textures(count: int) -> torch.Tensor:
    """(count, 3, 256, 256), without noise."""
    generator = torch.Generator().manual_seed(0)
    return soften(torch.rand((count, 3, 256, 256), generator=generator), torch.full((count,), 3.0))


def kernels(count: int) -> torch.Tensor:
    return torch.from_numpy(sample("motion", count, np.random.default_rng(2)))[:, None]


def look(models: Models, patches: torch.Tensor, options: Options) -> Looks:
    (found,) = estimate_kernels(models.kernel, [patches], options, lambda _: None)
    return found


def test_the_first_looks_go_on_from_the_kernel_of_all(
    monkeypatch: pytest.MonkeyPatch, models: Models
) -> None:
    """Two patches and five looks: three views of each at half the scale, the first three at the whole."""
    true, other = kernels(2).split(1)
    upright = [true, true, true, other, true, true]  # one look is an outlier
    seen = Seen(monkeypatch, torch.cat([turn_kernel(k, i // 2) for i, k in enumerate(upright)]))
    patches = textures(2)
    found = look(models, patches, replace(QUICK, coarse=4, fine=3, looks=5, fine_looks=3))
    y = standardise(luminance(patches))
    assert seen.turns == [4]
    torch.testing.assert_close(seen.views[0], torch.cat([turn(y, which) for which in range(3)]))
    shown, begun, turns = seen.fine[0]
    assert (len(seen.fine), turns) == (1, 3)
    torch.testing.assert_close(shown, torch.cat([y, turn(y[:1], 1)]))
    for kernel, which in zip(begun.split(1), (0, 0, 1), strict=True):
        assert float(mnc(turn_back(kernel, which)[0, 0], true[0, 0])) > 0.99
    assert found.kernels.shape == (3, 1, 64, 64)
    for kernel in found.kernels:  # upright again
        assert float(mnc(kernel[0], true[0, 0])) > 0.99


def test_looks_are_as_alike_as_they_are_at_half_the_scale(
    monkeypatch: pytest.MonkeyPatch, models: Models
) -> None:
    coarse = kernels(4)
    Seen(monkeypatch, torch.cat([turn_kernel(k, which) for which, k in enumerate(coarse.split(1))]))
    found = look(models, textures(1), replace(QUICK, looks=4, fine_looks=2))
    cut = torch.cat([turn_back(turn_kernel(k, i), i) for i, k in enumerate(coarse.split(1))])
    assert found.alike == pytest.approx(fuse(cut)[1], abs=1e-5)
    assert found.alike < 0.9
    Seen(monkeypatch, coarse[:1])
    assert look(models, textures(1), QUICK).alike == 1.0


def test_photos_with_a_sensors_noise_take_more_turns(monkeypatch: pytest.MonkeyPatch, models: Models) -> None:
    taken: list[tuple[int, int]] = []

    def spy(_network: Any, y: torch.Tensor, kernel: torch.Tensor, turns: int) -> Iterator[torch.Tensor]:
        taken.append((len(y), turns))
        yield kernel + y[:, :1, :64, :64].abs()  # tells the views apart

    monkeypatch.setattr(estimate, "alternate_coarse", lambda _network, y, _turns: y[:, :1, :64, :64].abs())
    monkeypatch.setattr(estimate, "alternate_fine", spy)
    clean, noisy, other = textures(3).split(1)
    noisy = noisy + 0.02 * torch.randn(noisy.shape, generator=torch.Generator().manual_seed(1))
    options = replace(QUICK, looks=2, fine_looks=2, fine=2, noisy_fine=2)
    together = estimate_kernels(models.kernel, [clean, noisy, other], options, lambda _: None)
    assert taken == [(4, 2), (2, 4)]
    for photo, looks in zip((clean, noisy, other), together, strict=True):
        alone = look(models, photo, options)
        torch.testing.assert_close(looks.kernels, alone.kernels, rtol=0, atol=0)
        assert looks.alike == alone.alike


def test_where_there_is_noise_every_look_goes_on_by_itself(
    monkeypatch: pytest.MonkeyPatch, models: Models
) -> None:
    coarse = kernels(4)
    coarse[..., 0, :] = coarse[..., 0] = 0  # they have no mirror image
    seen = Seen(monkeypatch, torch.cat([turn_kernel(k, which) for which, k in enumerate(coarse.split(1))]))
    noisy = textures(1)
    noisy = noisy + 0.02 * torch.randn(noisy.shape, generator=torch.Generator().manual_seed(1))
    found = look(models, noisy, replace(QUICK, looks=4, fine_looks=2))
    shown, begun, _ = seen.fine[0]
    torch.testing.assert_close(shown, seen.views[0])
    torch.testing.assert_close(begun, seen.coarse)
    torch.testing.assert_close(found.kernels, coarse / coarse.sum((-2, -1), keepdim=True))


def test_progress_goes_from_nothing_to_all(models: Models) -> None:
    told: list[float] = []
    estimate_kernels(models.kernel, [textures(1)], replace(QUICK, looks=2, fine_looks=2, fine=2), told.append)
    assert told == sorted(told)
    assert 0 < told[0] < 0.5
    assert told[-1] == pytest.approx(1)
