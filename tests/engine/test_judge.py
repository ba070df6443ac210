"""How far a kernel is trusted, by the bundled networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.convolve import convolve
from kdcli.blur.families import sample
from kdcli.engine.guidance import Guide
from kdcli.engine.judge import confidence, evidence_of
from kdcli.nets.judge import Judge
from kdcli.weights import Models, load_models
from tests.blur.rectangles import rectangles


@pytest.fixture(scope="module")
def bundled() -> Models:
    return load_models("cpu")


@pytest.fixture(scope="module")
def kernels() -> torch.Tensor:
    return torch.from_numpy(sample("motion", 4, np.random.default_rng(6)))[:, None]


@pytest.fixture(scope="module")
def guides(bundled: Models, kernels: torch.Tensor) -> list[Guide]:
    """Rectangles, blurred by each of the kernels."""
    sharp = rectangles(len(kernels), 256, 120).expand(-1, 3, -1, -1)
    blurred = (convolve(sharp, kernels) * 255).round() / 255
    return [Guide(bundled.solver, photo) for photo in blurred.split(1)]


def trust(models: Models, guide: Guide, kernel: torch.Tensor) -> float:
    return float(confidence(models.judge, guide, guide.near(kernel)(kernel), kernel))


def test_true_kernels_are_trusted_and_wrong_ones_are_not(
    bundled: Models, guides: list[Guide], kernels: torch.Tensor
) -> None:
    true = [trust(bundled, guide, kernel) for guide, kernel in zip(guides, kernels.split(1), strict=True)]
    for wrong in (kernels.flip(-1), kernels.roll(1, 0), torch.nn.functional.avg_pool2d(kernels, 9, 1, 4)):
        other = [trust(bundled, guide, k) for guide, k in zip(guides, wrong.split(1), strict=True)]
        assert np.mean(other) < np.mean(true) - 0.1, (true, other)
        assert all(less < more for less, more in zip(other, true, strict=True)), (true, other)


@pytest.mark.parametrize(("judged", "expected"), [(-5.0, 0.0), (5.0, 1.0)])
def test_confidence_is_a_likeness(
    bundled: Models,
    guides: list[Guide],
    kernels: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    judged: float,
    expected: float,
) -> None:
    monkeypatch.setattr(Judge, "likeness", lambda *_: torch.tensor([judged]))
    assert trust(bundled, guides[0], kernels[:1]) == expected


def test_evidence_is_what_the_restored_photo_leaves(guides: list[Guide], kernels: torch.Tensor) -> None:
    guide, kernel = guides[0], kernels[:1]
    seen = evidence_of(guide, guide.near(kernel)(kernel), kernel)
    assert seen.shape == (1, 5, 256, 256)
    assert (seen[0, 2, :31] == 0).all()  # what is outside, and blurs into these rows, isn't known
    assert seen[0, 2, 40:-40, 40:-40].abs().mean() > 0
    wrong = evidence_of(guide, guide.y, kernel)
    assert wrong[0, 3].abs().mean() > 3 * seen[0, 3].abs().mean()
