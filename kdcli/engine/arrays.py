"""Photos as arrays, as the outside has them, and as tensors, as the engine needs them."""

from __future__ import annotations

import numpy as np
import torch

from kdcli.blur.light import to_encoded, to_linear
from kdcli.engine.options import Light


def to_tensor(image: np.ndarray, device: torch.device, light: Light = "encoded") -> torch.Tensor:
    """(H, W) or (H, W, 3) to (1, 3, H, W) float32; grey becomes three equal channels."""
    tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).to(device)
    tensor = tensor.expand(3, *tensor.shape)[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)[None]
    return to_linear(tensor) if light == "linear" else tensor


def to_array(photo: torch.Tensor, like: np.ndarray, light: Light = "encoded") -> np.ndarray:
    """The inverse of ``to_tensor``, to the shape of ``like``."""
    encoded = to_encoded(photo) if light == "linear" else photo
    array = encoded[0].permute(1, 2, 0).cpu().numpy()
    return array.mean(-1) if like.ndim == 2 else np.ascontiguousarray(array)
