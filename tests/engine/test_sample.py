"""Guided reverse diffusion, on random networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kdcli.blur.kernels import impulse
from kdcli.engine.guidance import Guide
from kdcli.engine.options import PRESETS
from kdcli.engine.sample import sample_kernels
from kdcli.nets.schedule import make_schedule
from kdcli.weights import Models

QUICK = replace(PRESETS["fast"], coarse=1, fine=1)


@pytest.mark.parametrize("ancestral", [False, True])
@pytest.mark.parametrize("guidance", [0.0, 0.1])
def test_samples_are_kernels_and_repeat_for_a_seed(
    models: Models, photo: np.ndarray, ancestral: bool, guidance: float
) -> None:
    patches = torch.from_numpy(photo[:128, :128]).permute(2, 0, 1)[None]
    options = replace(QUICK, steps=2, samples=2, guidance=guidance, ancestral=ancestral)
    guide = Guide(models.solver, patches, 2)

    def draw(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        start = impulse()[None, None]
        schedule = make_schedule("linear")
        return sample_kernels(
            models.kernel, patches, start, schedule, guide, options, generator, lambda _: None
        )

    found = draw(0)
    assert found.shape == (2, 1, 64, 64)
    assert float(found.min()) >= 0
    torch.testing.assert_close(found.sum((-2, -1)), torch.ones(2, 1))
    torch.testing.assert_close(draw(0), found, atol=0, rtol=0)
    assert not torch.equal(draw(1), found)
