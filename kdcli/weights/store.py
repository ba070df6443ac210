"""Weights files: bfloat16 safetensors with a few words about their making."""

from __future__ import annotations

import os
import re
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
    temporary.chmod(0o644)  # the library makes files that only their owner may read
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


def fill(network: torch.nn.Module, path: Path) -> None:
    """Put a weights file into a network.

    Raises:
        UsageError: there is no such file, or it belongs to another network.
        KdError: it is damaged.
    """
    state = load_state(path)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UsageError(f"{path} holds the weights of another network: name a file made for it") from error


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
        number = int(name.partition(":")[2] or 0) if re.fullmatch(r"cuda(:\d+)?", name) else -1
        if number < 0:
            raise UsageError(f"--device {name}: use auto, cpu, cuda or cuda:N")
        if number >= torch.cuda.device_count():
            raise UsageError(f"--device {name}: there are only {torch.cuda.device_count()} CUDA devices")
        return torch.device(name)
    if name == "cpu":
        return torch.device(name)
    raise UsageError(f"--device {name}: use auto, cpu, cuda or cuda:N")
