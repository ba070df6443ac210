"""Weights files: bfloat16 safetensors with a few words about their making."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from kdcli.errors import KdError, UsageError


def save_weights(network: torch.nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Write a network's weights in bfloat16, through a temporary file."""
    state = {n: w.detach().to("cpu", torch.bfloat16).contiguous() for n, w in network.state_dict().items()}
    temporary = path.with_name(f".{path.name}.tmp")
    save_file(state, temporary, metadata=metadata)
    os.replace(temporary, path)


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a weights file into a state dict of float32 tensors.

    Raises:
        UsageError: there is no such file.
        KdError: it is damaged.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such weights file")
    try:
        state: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise KdError(f"{path} is damaged ({error}): fetch or install it again") from error
    return {name: tensor.float() for name, tensor in state.items()}


def read_metadata(path: Path) -> dict[str, str]:
    """The words about a weights file's making."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    metadata: dict[str, str] = header.get("__metadata__", {})
    return metadata


def choose_device(name: str) -> torch.device:
    """The device of "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: CUDA is asked for and not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise UsageError(f"--device {name}: this PyTorch finds no CUDA device; use --device cpu")
        number = int(name.partition(":")[2] or 0)
        if number >= torch.cuda.device_count():
            raise UsageError(f"--device {name}: there are only {torch.cuda.device_count()} CUDA devices")
    return torch.device(name)
