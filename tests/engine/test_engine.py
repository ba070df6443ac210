"""The engine on random networks: what must hold whatever the weights are."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data

import kdcli.engine.restore as engine
import kdcli.nets.prior as nets
from kdcli.blur.convolve import convolve, pad_reflect
from kdcli.blur.degrade import soften, to_8_bit
from kdcli.blur.families import sample
from kdcli.blur.kernels import centred_exactly, impulse, mnc
from kdcli.blur.light import to_encoded, to_linear
from kdcli.blur.noise import noise_level
from kdcli.engine.alternate import alternate
from kdcli.engine.arrays import to_tensor
from kdcli.engine.deblur import deblur_image, estimate_image_kernel
from kdcli.engine.fuse import fuse
from kdcli.engine.guidance import Guide
from kdcli.engine.options import PRESETS, make_options
from kdcli.engine.patches import PATCH, informative_patches, is_flat
from kdcli.engine.restore import ramp, restore, softness_taken, spans
from kdcli.engine.results import FLAT_WARNING
from kdcli.errors import UsageError
from kdcli.nets.estimator import luminance
from kdcli.nets.lagspace import standardise
from kdcli.nets.prior import ALIGNED
from kdcli.weights import Models, load_models

QUICK = replace(PRESETS["fast"], coarse=1, fine=1)


def kernels(count: int) -> torch.Tensor:
    return torch.from_numpy(sample("motion", count, np.random.default_rng(1)))[:, None]


def test_the_best_patch_is_where_the_texture_is() -> None:
    photo = torch.full((1, 3, 512, 768), 0.5)
    photo[..., 256:, 512:] += 0.4 * (torch.rand((256, 256), generator=torch.Generator().manual_seed(2)) - 0.5)
    patches = informative_patches(photo, 1)
    assert patches.shape == (1, 3, PATCH, PATCH)
    torch.testing.assert_close(patches[0], photo[0, :, 256:, 512:])


def test_a_small_photo_gives_a_whole_patch(photo: np.ndarray) -> None:
    small = torch.from_numpy(photo).permute(2, 0, 1)[None, :, :40, :70]
    assert informative_patches(small, 3).shape[1:] == (3, PATCH, PATCH)


def test_flat_is_flat_and_texture_is_not(photo: np.ndarray) -> None:
    assert is_flat(torch.zeros(1, 3, 300, 300))
    assert not is_flat(torch.from_numpy(photo).permute(2, 0, 1)[None])


def test_fusion_undoes_shifts_and_drops_the_odd_one_out() -> None:
    one, odd = kernels(2)
    found, agreement = fuse(torch.stack([one, one.roll((3, -2), (-2, -1)), one.roll(1, -1), odd]))
    assert float(mnc(found[0, 0], one[0])) > 0.999
    assert agreement < 1


def test_tiles_cover_every_pixel_with_weight() -> None:
    for length in (17, 1024, 1025, 1999):
        total = torch.zeros(length)
        for first, last in spans(length, 1024, 96):
            assert 0 <= first < last <= length
            assert first % ALIGNED == 0
            total[first:last] += ramp(first, last, length, 96, torch.device("cpu"))
        assert float(total.min()) > 0.4


@pytest.mark.parametrize("known", [False, True])
def test_photos_in_parts_have_no_seams(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """With the bundled solver: one that has learned nothing depends on less of what is around."""
    solver = load_models("cpu").solver
    photo = torch.from_numpy(data.rocket()[:160, :640]).permute(2, 0, 1)[None] / 255
    blur = to_8_bit(convolve(photo, kernels(1)))
    whole = restore(solver, blur, kernels(1), known, False, lambda _: None)
    monkeypatch.setattr(nets, "_PART", 448)
    done: list[float] = []
    parts = restore(solver, blur, kernels(1), known, False, done.append)
    assert len(done) > 10  # the deconvolution says seven times at most how far it is
    assert float((parts - whole).abs().max()) < 1 / 255


def test_softness_that_was_taken_is_given_back() -> None:
    solver = load_models("cpu").solver
    photo = torch.from_numpy(data.rocket()[:128, 200:360]).permute(2, 0, 1)[None] / 255
    fat = centred_exactly(soften(kernels(1), torch.tensor([1.2])))
    blur = to_8_bit(convolve(photo, fat))

    def fine(image: torch.Tensor) -> float:
        return float(image.diff(dim=-1).square().mean() + image.diff(dim=-2).square().mean())

    soft = restore(solver, blur, fat, False, False, lambda _: None)
    assert fine(soft) < 0.9 * fine(solver(blur, fat).clamp(0, 1))
    known = restore(solver, blur, fat, True, False, lambda _: None)
    assert torch.equal(known, solver(blur, fat, 1.0).clamp(0, 1))


def test_photos_of_cameras_are_given_half_a_pixel_back_at_least() -> None:
    fat = centred_exactly(soften(kernels(1), torch.tensor([1.4])))
    both = torch.cat([impulse()[None, None], fat])
    little, much = softness_taken(both, torch.tensor([False, False])).tolist()
    assert (little, much > 0.5) == (0, True)
    assert softness_taken(both, torch.tensor([True, True])).tolist() == pytest.approx([0.5, much])
    assert softness_taken(both, torch.tensor([False, True])).tolist() == pytest.approx([0, much])


@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_only_soft_photos_with_a_sensors_noise_are_taken_for_a_cameras(
    monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    monkeypatch.setattr("kdcli.engine.settle.is_fat", lambda _kernel: True)
    models = load_models("cpu")
    photo = data.astronaut()[:256, 100:356].astype(np.float32) / 255
    blur = to_8_bit(convolve(torch.from_numpy(photo).permute(2, 0, 1)[None], kernels(1)))
    blur = to_8_bit(blur + noise * torch.randn(blur.shape, generator=torch.Generator().manual_seed(0)))
    blurred = blur[0].permute(1, 2, 0).numpy()
    result = deblur_image(blurred, models, QUICK)
    assert result.changed
    assert result.from_camera == (noise > 0)
    kernel = torch.from_numpy(result.kernel)[None, None]
    y = to_tensor(blurred, models.device, "encoded")  # laid out as there: processors round by that
    told, untold = (
        restore(models.solver, y, kernel, False, camera, lambda _: None) for camera in (True, False)
    )
    found = torch.from_numpy(result.restored).permute(2, 0, 1)[None]
    torch.testing.assert_close(found, told if noise else untold, atol=1e-4, rtol=0)
    assert float((told - untold).abs().max()) > 0.01


def test_the_noise_of_a_large_photo_is_not_that_of_a_sliver() -> None:
    noise = torch.randn((1, 3, 40, 3586), generator=torch.Generator().manual_seed(0))
    photo = (0.5 + 0.02 * noise).clamp(0, 1)
    photo[..., 3400:] = 1
    assert float(engine._noise(photo, noise_level)) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(("known", "most"), [(False, 5), (True, 10)])
def test_the_pieces_of_a_huge_photo_are_nearly_as_the_whole(
    monkeypatch: pytest.MonkeyPatch, known: bool, most: int
) -> None:
    solver = load_models("cpu").solver
    photo = torch.from_numpy(data.rocket()[:160, :640]).permute(2, 0, 1)[None] / 255
    blur = to_8_bit(convolve(photo, kernels(1)))
    whole = restore(solver, blur, kernels(1), known, False, lambda _: None)
    for name, value in (("WHOLE", 1), ("TILE", 480), ("REACH", 96)):
        monkeypatch.setattr(engine, name, value)
    done: list[float] = []
    tiled = restore(solver, blur, kernels(1), known, False, done.append)
    assert done == sorted(done)
    assert done[-1] == 1
    difference = (tiled - whole).abs()
    assert 0 < float(difference.max()) < most / 255
    assert float(difference.mean()) < 0.5 / 255


def test_the_reblurring_loss_is_small_at_the_truth_and_differentiable(
    models: Models, photo: np.ndarray
) -> None:
    sharp = torch.from_numpy(photo[:256, :256]).permute(2, 0, 1)[None]
    true, wrong = kernels(2).split(1)
    guide = Guide(partial(models.solver, exact=False), convolve(sharp, true), samples=2)
    with torch.no_grad():
        at_truth, at_wrong = guide.loss(torch.cat([true, wrong])).tolist()
    assert at_truth < at_wrong
    gradient, loss = guide.log_gradient(torch.zeros(2, 1, 64, 64))
    assert torch.isfinite(gradient).all()
    torch.testing.assert_close(loss, guide.loss(torch.full((2, 1, 64, 64), 1 / 64**2)))


def test_a_flat_photo_comes_back_as_it_was(models: Models) -> None:
    black = np.zeros((64, 80, 3), dtype=np.float32)
    result = deblur_image(black, models, QUICK)
    assert result.changed is False
    assert result.warnings == [FLAT_WARNING]
    np.testing.assert_array_equal(result.restored, black)


@pytest.mark.parametrize("shape", [(40, 57, 3), (300, 299)])
def test_any_size_colour_or_grey(models: Models, photo: np.ndarray, shape: tuple[int, ...]) -> None:
    image = np.resize(photo[: shape[0], : shape[1]], (*shape[:2], 3))
    image = image if len(shape) == 3 else image.mean(-1)
    result = deblur_image(image, models, QUICK)
    assert result.restored.shape == shape
    assert result.restored.dtype == np.float32
    assert result.changed
    assert {"estimate", "restore"} <= set(result.seconds)


def test_a_known_kernel_is_used_as_it_is(models: Models, photo: np.ndarray) -> None:
    kernel = kernels(1)[0, 0].numpy()
    blur = convolve(torch.from_numpy(photo).permute(2, 0, 1)[None], torch.from_numpy(kernel)[None, None])
    blurred = blur[0].permute(1, 2, 0).numpy()
    result = deblur_image(blurred, models, QUICK, kernel=kernel)
    np.testing.assert_array_equal(result.kernel, kernel)
    assert np.square(result.restored - photo).mean() < 0.5 * np.square(blurred - photo).mean()


def test_light_is_deblurred_where_it_was_blurred(models: Models, photo: np.ndarray) -> None:
    kernel = kernels(1)
    light = to_linear(torch.from_numpy(photo).permute(2, 0, 1)[None])
    blurred = to_encoded(convolve(light, kernel))[0].permute(1, 2, 0).numpy()
    errors = [
        np.square(
            deblur_image(
                blurred, models, make_options("fast", light=kind), kernel=kernel[0, 0].numpy()
            ).restored
            - photo
        ).mean()
        for kind in ("linear", "encoded")
    ]
    assert errors[0] < 0.5 * errors[1]
    found = estimate_image_kernel(blurred, models, replace(QUICK, light="linear"))
    assert not np.array_equal(found.kernel, estimate_image_kernel(blurred, models, QUICK).kernel)


def test_the_estimate_repeats_and_counts_its_patches(models: Models, photo: np.ndarray) -> None:
    first = estimate_image_kernel(photo, models, QUICK)
    second = estimate_image_kernel(photo, models, QUICK)
    np.testing.assert_array_equal(first.kernel, second.kernel)
    assert first.patches == 1
    assert first.kernel.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "points"),
    [
        ({"steps": 3, "guidance": 0.1}, 3),  # guidance needs the loss anyway
        ({"steps": 3}, None),
        ({"steps": 3, "residuals": True}, 3),
        ({"residuals": True, "fine": 2}, 2 * 2 - 1),  # a pass a turn, and an ascent between two
        ({}, None),
    ],
)
def test_residuals_are_recorded_where_free_or_asked_for(
    models: Models, photo: np.ndarray, settings: dict[str, Any], points: int | None
) -> None:
    options = replace(QUICK, samples=2, **settings)
    found = estimate_image_kernel(photo, models, options)
    samples = 2 if options.steps > 1 else 1
    assert [len(curve) for curve in found.residuals] == ([points] * samples if points else [])
    assert all(0 < loss < 1 for curve in found.residuals for loss in curve)
    if options.residuals:
        without = estimate_image_kernel(photo, models, replace(options, residuals=False))
        np.testing.assert_array_equal(found.kernel, without.kernel)


def test_a_residual_is_the_loss_of_the_kernel_after_a_turn(models: Models, photo: np.ndarray) -> None:
    patches = informative_patches(torch.from_numpy(photo).permute(2, 0, 1)[None], 1)
    y = standardise(luminance(patches))
    guide = Guide(models.solver, patches)
    with torch.no_grad():
        losses = [float(guide.loss(kernel)) for kernel in alternate(models.kernel, y, coarse=1, fine=1)]
    found = estimate_image_kernel(photo, models, replace(QUICK, residuals=True))
    assert found.residuals == [losses]


def test_wide_photos_are_mirrored_not_repeated() -> None:
    row = torch.arange(5.0)[None, None, None].expand(1, 1, 3, 5)
    assert pad_reflect(row, 2)[0, 0, 2].tolist() == [2, 1, 0, 1, 2, 3, 4, 3, 2]


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"samples": 65}, {"guidance": -1.0}, {"refine_steps": -1}, {"preset": "finest"}]
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        make_options(**wrong)  # type: ignore[arg-type]
