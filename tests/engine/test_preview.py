"""Where a preview looks, and that it shows what the whole job will give there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kdcli.engine.deblur import deblur_image, estimate_image_kernel
from kdcli.engine.options import PRESETS
from kdcli.engine.preview import preview_window
from kdcli.nets.estimator import KernelNet
from kdcli.nets.judge import Judge
from kdcli.nets.solver import Solver
from kdcli.weights import Models


@pytest.fixture(scope="module")
def models() -> Models:
    torch.manual_seed(0)
    kernel = KernelNet(encoder=(16, 16, 16), denoiser=(16, 16, 16))
    solver, judge = Solver(widths=(16, 16, 16)), Judge(photo=(16, 16), kernel=(16, 16))
    return Models(kernel.eval(), solver.eval(), judge.eval(), torch.device("cpu"), "random")


def textured(height: int, width: int, top: int, left: int, side: int = 300) -> np.ndarray:
    """Grey, with a square of texture."""
    photo = np.full((height, width), 0.5, np.float32)
    rows, columns = min(side, height - top), min(side, width - left)
    photo[top : top + rows, left : left + columns] = np.random.default_rng(0).random((rows, columns))
    return photo


@pytest.mark.parametrize(("top", "left"), [(0, 0), (500, 900), (700, 300), (300, 1000)])
def test_the_texture_is_looked_at(top: int, left: int) -> None:
    rows, columns = preview_window(textured(1000, 1300, top, left))
    for window, start, length in ((rows, top, 1000), (columns, left, 1300)):
        assert window.stop - window.start == 512
        assert 0 <= window.start <= start
        assert start + 300 <= window.stop <= length


@pytest.mark.parametrize("shape", [(100, 100), (200, 1000), (400, 400), (1000, 300)])
def test_of_a_small_photo_all_that_there_is(shape: tuple[int, int]) -> None:
    part = textured(*shape, 0, 0)[preview_window(textured(*shape, 0, 0))]
    assert part.shape == tuple(min(side, 512) for side in shape)


def test_a_preview_is_a_part_of_the_whole(models: Models) -> None:
    """The kernel is the same, and so are the pixels, but for those that the cut is near to."""
    quick = replace(PRESETS["fast"], coarse=1, fine=1)
    photo = textured(300, 460, 20, 20, 420)
    window = slice(20, 290), slice(30, 360)
    part = deblur_image(photo, models, quick, window=window)
    np.testing.assert_array_equal(part.kernel, estimate_image_kernel(photo, models, quick).kernel)
    np.testing.assert_array_equal(
        deblur_image(photo[window], models, quick, kernel=part.kernel).restored,
        deblur_image(photo, models, quick, kernel=part.kernel, window=window).restored,
    )
    assert part.restored.shape == (270, 330)
    assert part.changed


def test_a_preview_of_nothing_to_see(models: Models) -> None:
    flat = np.full((300, 400, 3), 0.5, np.float32)
    part = deblur_image(flat, models, PRESETS["fast"], window=(slice(0, 50), slice(0, 60)))
    assert not part.changed
    np.testing.assert_array_equal(part.restored, flat[:50, :60])
