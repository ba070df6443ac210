"""Photos that are deblurred together come out as they do alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import kdcli.engine.deblur as engine
from kdcli.blur.kernels import mnc
from kdcli.engine.deblur import deblur_image, deblur_images
from kdcli.engine.options import PRESETS
from kdcli.engine.results import FLAT_WARNING
from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.weights import Models

OPTIONS = replace(PRESETS["fast"], settle=0, coarse=1, fine=1, patches=2, looks=3)


class Smoother(KernelNet):
    """Smears kernels. A random network would make much of how a batch rounds."""

    def predict(self, y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(kernel, 5, stride=1, padding=2, count_include_pad=True)


@pytest.fixture(scope="module")
def models() -> Models:
    torch.manual_seed(0)
    kernel = Smoother(encoder=(16, 16, 16), denoiser=(16, 16, 16))
    solver, judge = Solver(widths=(16, 16, 16)), Judge(photo=(16, 16), kernel=(16, 16))
    return Models(kernel.eval(), solver.eval(), judge.eval(), torch.device("cpu"), "smoother")


def rough(height: int, width: int, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, height // 10, width // 10), generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(height, width))[0].permute(1, 2, 0).numpy()


def test_together_as_alone(models: Models) -> None:
    flat = np.full((80, 90, 3), 0.5, dtype=np.float32)
    # One with two patches, two of one size, one grey, one without edges.
    photos = [rough(300, 700, 1), rough(200, 180, 2), flat, rough(200, 180, 3), rough(270, 260, 4).mean(-1)]
    together = deblur_images(photos, models, OPTIONS)
    assert [one.patches for one in together] == [2, 1, 0, 1, 1]
    assert [one.changed for one in together] == [True, True, False, True, True]
    assert together[2].warnings == [FLAT_WARNING]
    for photo, one in zip(photos, together, strict=True):
        alone = deblur_image(photo, models, OPTIONS)
        assert one.restored.shape == photo.shape
        likeness = mnc(torch.from_numpy(one.kernel), torch.from_numpy(alone.kernel))
        assert float(likeness) > 0.999
        assert float(np.abs(one.restored - alone.restored).mean()) < 0.01  # photos differ by 0.2


def test_sampled_photos_have_their_own_curves(models: Models) -> None:
    options = replace(OPTIONS, steps=2, guidance=0.05)
    photos = [rough(300, 700, 1), rough(200, 180, 2)]
    together = deblur_images(photos, models, options)
    for photo, one in zip(photos, together, strict=True):
        curves = np.array(one.residuals)
        assert curves.shape == (one.patches, 2)
        np.testing.assert_allclose(curves, deblur_image(photo, models, options).residuals, rtol=0.05)


def test_a_known_kernel_is_that_of_all(models: Models) -> None:
    kernel = np.zeros((64, 64), dtype=np.float32)
    kernel[32, 30:35] = 0.2
    photos = [rough(200, 180, seed) for seed in (1, 2)]
    for photo, one in zip(photos, deblur_images(photos, models, OPTIONS, kernel=kernel), strict=True):
        alone = deblur_image(photo, models, OPTIONS, kernel=kernel)
        np.testing.assert_array_equal(one.kernel, kernel)
        np.testing.assert_allclose(one.restored, alone.restored, atol=1e-3)


def test_small_photos_of_a_size_are_restored_at_once(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def spy(_solver: object, photos: torch.Tensor, *_: object) -> torch.Tensor:
        seen.append(len(photos))
        return photos

    monkeypatch.setattr(engine, "restore", spy)
    kernel = np.zeros((64, 64), dtype=np.float32)
    kernel[32, 30:35] = 0.2
    sizes = [(200, 180), (90, 180), (200, 180), (800, 90), (800, 90)]
    deblur_images([rough(*size, seed=0) for size in sizes], models, OPTIONS, kernel=kernel)
    assert seen == [2, 1, 1, 1]
