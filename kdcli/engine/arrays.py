"""Photos as arrays, as the outside has them, and as tensors, as the engine needs them."""

from __future__ import annotations

import numpy as np
import torch


def to_tensor(image: np.ndarray, device: torch.device) -> torch.Tensor:
    """(H, W) or (H, W, 3) to (1, 3, H, W) float32; grey becomes three equal channels."""
    tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).to(device)
    return tensor.expand(3, *tensor.shape)[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)[None]


def to_array(photo: torch.Tensor, like: np.ndarray) -> np.ndarray:
    """The inverse of ``to_tensor``, to the shape of ``like``."""
    array = photo[0].permute(1, 2, 0).cpu().numpy()
    return array.mean(-1) if like.ndim == 2 else np.ascontiguousarray(array)
