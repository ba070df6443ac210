"""Encoded values and light."""

from __future__ import annotations

import numpy as np
import torch
from skimage.color import rgb2xyz

from kdcli.blur.light import to_encoded, to_linear


def test_there_and_back() -> None:
    values = torch.linspace(0, 1, 1001)
    torch.testing.assert_close(to_encoded(to_linear(values)), values, atol=2e-6, rtol=0)


def test_light_is_that_of_srgb() -> None:
    """Against scikit-image: the Y of a grey is its light."""
    grey = np.linspace(0, 1, 101)
    light = rgb2xyz(np.repeat(grey[:, None, None], 3, axis=-1))[:, 0, 1]
    np.testing.assert_allclose(to_linear(torch.from_numpy(grey)).numpy(), light, atol=1e-4)


def test_gradients_are_finite_in_the_dark() -> None:
    values = torch.zeros(3, requires_grad=True)
    to_encoded(values).sum().backward()
    assert torch.isfinite(values.grad).all()  # type: ignore[arg-type]
