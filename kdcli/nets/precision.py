"""In which precision the networks compute."""

from __future__ import annotations

from functools import cache

import torch


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 autocast where the device multiplies in it, float32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device))


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is fast here; a processor without it emulates it at an eighth of float32's speed.

    NVIDIA's GPUs multiply in it from compute capability 8 (Ampere) on.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    return device.type != "cpu" or _processor_does()


@cache
def _processor_does() -> bool:
    if not hasattr(torch.cpu, "get_capabilities"):  # older than PyTorch 2.10
        return bool(torch.cpu._is_avx512_bf16_supported())
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
