"""Kernels by marginal likelihood, on photos whose gradients are as sparse as the model says."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from kdcli.blur.deconvolve import UnknownBorder
from kdcli.blur.degrade import soften
from kdcli.blur.families import sample
from kdcli.blur.kernels import impulse, mnc, normalise
from kdcli.blur.marginal import _gradients, _Model, ascend
from tests.blur.rectangles import rectangles, standardised


def kernels(count: int) -> torch.Tensor:
    """Motion kernels of 32x32 pixels, no wider than that."""
    whole = torch.from_numpy(sample("motion", count, np.random.default_rng(3)))[:, None]
    return normalise(F.avg_pool2d(whole, 2))


def blocks(count: int) -> torch.Tensor:
    return rectangles(count, 160, 60)


def similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return mnc(a[:, 0], b[:, 0])


def test_a_rough_kernel_becomes_likelier_and_truer() -> None:
    true = kernels(4)
    y = standardised(blocks(4), true)
    ghosted = 0.6 * true + 0.4 * true.roll(1, 0)  # with another's kernel mixed in
    before = similarity(ghosted, true)
    once, again = (similarity(ascend(y, ghosted, level=0.1, rounds=n), true) for n in (1, 4))
    assert (once > before + 0.003).all(), (before, once)
    assert again.mean() > once.mean() > before.mean() + 0.015, (before, once, again)


def test_the_true_kernel_is_not_left_for_no_blur() -> None:
    true = kernels(4)
    found = ascend(standardised(blocks(4), true), true, level=0.1, rounds=4)
    assert (similarity(found, true) > 0.93).all()
    nothing = impulse(32).expand_as(true)
    assert (similarity(found, nothing) < similarity(true, nothing) + 0.1).all()


def test_the_true_kernel_is_kept_for_good() -> None:
    true = kernels(4)
    found = ascend(standardised(blocks(4), true), true, level=0.03, rounds=40)
    assert (similarity(found, true) > 0.97).all()


def test_a_soft_photo_does_not_make_its_kernel_fat() -> None:
    true, width = kernels(4), torch.full((4,), 0.8)
    y = standardised(soften(blocks(4), width), true)
    hard, soft = (similarity(ascend(y, true, level=0.03, rounds=20, softness=s), true) for s in (0.0, 0.8))
    assert (soft > 0.95).all(), soft
    assert (soft > hard).all(), (soft, hard)


def test_kernels_come_out_and_each_is_its_own() -> None:
    true = kernels(2)
    y = standardised(blocks(2), true)
    found = ascend(y, true, level=0.1)
    assert found.shape == true.shape
    assert float(found.min()) >= 0
    torch.testing.assert_close(found.sum((-2, -1)), torch.ones(2, 1), atol=1e-5, rtol=0)
    alone = ascend(y[:1], true[:1], level=0.1)
    torch.testing.assert_close(found[:1], alone, atol=1e-4, rtol=0)


def test_a_photo_without_contrast_gives_no_nan() -> None:
    found = ascend(torch.zeros(1, 1, 96, 96), kernels(1), level=0.1)
    assert torch.isfinite(found).all()


def test_both_gradients_at_once_are_as_one_by_one() -> None:
    y, kernel = torch.rand(2, 3, 61, 50, generator=torch.Generator().manual_seed(0)), kernels(2)
    g = _gradients(y)
    torch.testing.assert_close(g.real, y[..., :-1, 1:] - y[..., :-1, :-1])
    torch.testing.assert_close(g.imag, y[..., 1:, :-1] - y[..., :-1, :-1])
    both, one = _Model(kernel, (60, 49), 0.0), UnknownBorder(kernel, (60, 49))
    found = both.image(both.normal(both.transform(both.extend(g))))
    for part, gradient in ((found.real, g.real), (found.imag, g.imag)):
        alone = one.image(one.normal(one.transform(one.extend(gradient))))
        torch.testing.assert_close(part, alone, atol=1e-5, rtol=0)
