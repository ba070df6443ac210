"""Which part of a photo to look at first."""

from __future__ import annotations

import numpy as np
import torch

from kdcli.engine.arrays import to_tensor
from kdcli.engine.deblur import Window
from kdcli.engine.patches import informative_window

SIDE = 512
"""Of a preview in pixels: what restoring takes in one tile."""


def preview_window(image: np.ndarray) -> Window:
    """Rows and columns of the 512x512 pixels of an image that tell the most about its blur.

    Args:
        image: (H, W) or (H, W, 3) float32 in [0, 1]; of a side shorter than 512, all is taken.
    """
    return informative_window(to_tensor(image, torch.device("cpu")), SIDE)
