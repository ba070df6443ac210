"""Network and likelihood in turns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdcli.blur.marginal import ascend
from kdcli.engine.alternate import alternate, levels
from kdcli.weights import Models


def test_alternation_goes_from_half_to_the_whole_scale(models: Models, photo: np.ndarray) -> None:
    y = torch.from_numpy(photo[:256, :256]).permute(2, 0, 1).mean(0)[None, None]
    y = (y - y.mean()) / y.std()
    found = list(alternate(models.kernel, y, coarse=1, fine=2))
    assert len(found) == 3  # after every pass and every ascent between them
    for kernel in found:
        assert kernel.shape == (1, 1, 64, 64)
        assert float(kernel.min()) >= 0
        assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(found[1], ascend(y, found[0], level=levels(y)[1]), rtol=0, atol=0)
    torch.testing.assert_close(found[2], models.kernel.predict(y, found[1]), rtol=0, atol=0)
    other = list(alternate(models.kernel, y, coarse=2, fine=1))
    assert not torch.equal(found[0], other[0])  # the turns at half the scale count


def test_ascents_expect_the_noise_of_the_photo() -> None:
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand((1, 1, 9, 9), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(256, 256), mode="bicubic")
    noisy = smooth + 0.1 * torch.randn(smooth.shape, generator=generator)
    quiet, loud = levels(smooth), levels(noisy)
    assert [float(level) for level in quiet] == pytest.approx([0.1, 0.1])
    assert float(loud[1]) == pytest.approx(0.436, rel=0.05)
    assert 0.15 < float(loud[0]) < float(loud[1])
