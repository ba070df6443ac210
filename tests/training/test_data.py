"""Training pairs: they obey the blur model, and every random choice can be repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.degrade import soften
from kdcli.errors import KdError
from kdcli.training.data import Accidents, PairMaker, load_photos, split_photos

CPU = torch.device("cpu")


def maker(photos: Path, **settings: Any) -> PairMaker:
    given: dict[str, Any] = {"pool": 8, "colour": True, "size": 128, "seed": 0, "device": CPU, **settings}
    return PairMaker(load_photos(photos), **given)


def test_photos_come_in_order_and_small_ones_are_left_out(photos: Path) -> None:
    found = load_photos(photos)
    assert [p.shape for p in found] == [(256, 272, 3)] * 3
    assert found[0].dtype == np.uint8
    assert not np.array_equal(found[0], found[1])


def test_deep_and_grey_photos_are_as_they_look(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256 * 256).astype(np.uint16).reshape(256, 256)
    iio.imwrite(tmp_path / "a.png", ramp)
    (found,) = load_photos(tmp_path)
    assert (found.shape, found.dtype) == ((256, 256, 3), np.uint8)
    np.testing.assert_array_equal(found[..., 1], np.rint(ramp / 257))
    (tmp_path / "b.png").write_bytes(b"no photo")
    with pytest.raises(KdError, match=r"b\.png.* take it out"):
        load_photos(tmp_path)


def test_photos_are_either_trained_on_or_held_out() -> None:
    photos = [np.array([i]) for i in range(100)]
    train, held = split_photos(photos)
    assert [int(p[0]) for p in held] == [0, 27, 54, 81]
    assert sorted(int(p[0]) for p in train + held) == list(range(100))
    train, held = split_photos(photos[:3])
    assert [int(p[0]) for p in train + held] == [0, 1, 2]
    assert len(split_photos([np.zeros(1)] * 5000)[1]) == 48
    assert [len(part) for part in split_photos(photos[:1])] == [1, 1]


@pytest.mark.parametrize("colour", [True, False])
def test_clean_pairs_are_the_benchmarks(photos: Path, colour: bool) -> None:
    batch = maker(photos, colour=colour, clean=True, size=256, family="motion").make(3)
    assert batch.sharp.shape == batch.blurred.shape == (3, 3 if colour else 1, 256, 256)
    wanted = convolve(batch.sharp, batch.kernel, "reflect")
    assert (wanted - batch.blurred).abs().max() < 0.51 / 255
    assert batch.noise_level.tolist() == [0, 0, 0]


def test_pairs_with_real_surroundings_and_turned_kernels_obey_the_model(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = maker(photos)
    monkeypatch.setattr(pairs, "_accidents", Accidents.none)
    batch = pairs.make(6)
    torch.testing.assert_close(batch.kernel.sum((1, 2, 3)), torch.ones(6))
    inner = convolve(batch.sharp, batch.kernel, "valid")
    assert (inner - batch.blurred[..., 31:-32, 31:-32]).abs().max() < 0.51 / 255
    mirrored = convolve(batch.sharp, batch.kernel, "reflect")
    off = (mirrored - batch.blurred).abs().amax((1, 2, 3))
    assert off.max() > 0.05  # beyond its edges the crop goes on, and is not its own mirror image


def test_accidents_stay_in_range_and_the_noise_is_told(photos: Path) -> None:
    batch = maker(photos).make(12)
    for image in (batch.sharp, batch.blurred):
        assert image.min() >= 0
        assert image.max() <= 1
    assert 0 < batch.noise_level.max() <= 0.02
    assert batch.noise_level.min() == 0
    levels = batch.blurred * 255
    assert (levels - levels.round()).abs().max() < 1e-3


def test_some_photos_are_as_soft_as_a_cameras_and_so_is_their_sharp_side(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, crisp = maker(photos, family="identity"), maker(photos, family="identity")
    softer = replace(Accidents.none(3), softness=torch.ones(3))
    monkeypatch.setattr(pairs, "_accidents", lambda _count: softer)
    monkeypatch.setattr(crisp, "_accidents", Accidents.none)
    soft, plain = pairs.make(3), crisp.make(3)
    wanted = soften(plain.sharp, torch.ones(3))
    inner = (..., slice(8, -8), slice(8, -8))
    assert (soft.sharp - wanted)[inner].abs().max() < 1e-3
    assert (soft.blurred - soft.sharp).abs().max() < 0.51 / 255  # it is no part of the blur


def test_the_blur_of_some_photos_is_not_quite_the_same_everywhere(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = maker(photos, size=256, family="motion")
    uneven = replace(Accidents.none(3), bend=torch.full((3, 2, 2, 2), 0.3))
    monkeypatch.setattr(pairs, "_accidents", lambda _count: uneven)
    batch = pairs.make(3)
    off = (convolve(batch.sharp, batch.kernel, "valid") - batch.blurred[..., 31:-32, 31:-32]).abs()
    middle = off[..., 90:104, 90:104].mean((1, 2, 3))
    assert (off[..., :32, :32].mean((1, 2, 3)) > 2 * middle).all()
    share = maker(photos)._accidents(400).bend.abs().amax((1, 2, 3)).gt(0).float().mean()
    assert 0.25 < float(share) < 0.45


def test_a_state_repeats_what_followed_it(photos: Path) -> None:
    pairs = maker(photos)
    pairs.make(2)
    state = pairs.state()
    first, other = pairs.make(2), pairs.make(2)
    again = maker(photos)
    again.restore(state)
    second = again.make(2)
    assert torch.equal(first.blurred, second.blurred)
    assert torch.equal(first.kernel, second.kernel)
    assert not torch.equal(first.blurred, other.blurred)


def test_a_part_of_a_batch_is_of_all_its_fields(photos: Path) -> None:
    batch = maker(photos).make(3)
    part = batch.part(1, 3)
    assert torch.equal(part.blurred, batch.blurred[1:])
    assert torch.equal(part.noise_level, batch.noise_level[1:])
    assert torch.equal(part.kernel, batch.kernel[1:])
