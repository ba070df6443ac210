"""The published checkpoints: from the authors' PyTorch files to safetensors that kd loads.

Kernel-Diff's ``kernel-diff.pt`` is ``{"step", "model", "opt"}``, where "model" is the state of the whole
diffusion: the network's names behind "model.", beside the schedule's and perhaps the solver's.
``model_DWDN.pt`` is a plain state dict, and may be in the format that PyTorch wrote before 1.6. Both are
told from the code that reads them: the files themselves were not at hand. Only tensors are unpickled.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from kdcli.errors import KdError, UsageError
from kdcli.files.atomic import write_atomically
from kdcli.weights.architectures import find_architecture
from kdcli.weights.header import digest, measure
from kdcli.weights.register import PAPER, WeightsSet

KERNEL_DIFF, DWDN = "kernel-diff-1", "dwdn-1"

_SOURCES = "github.com/sanghviyashiitb/kernel-diff-eccv24 and gitlab.mpi-klsb.mpg.de/jdong/dwdn"


def import_published(
    kernel_diff: Path, dwdn: Path, folder: Path, *, name: str = PAPER, overwrite: bool = False
) -> WeightsSet:
    """Write both networks into a folder, in float32 as they are published, once both files are seen to fit.

    Args:
        kernel_diff: ``kernel-diff.pt``.
        dwdn: ``model_DWDN.pt``.
        folder: made where there is none.
        name: of the set.

    Raises:
        UsageError: a file that is missing or of another network, or weights that are in the folder already.
        KdError: a file that holds more than tensors or is damaged, or a folder that cannot be written.
    """
    states = {
        KERNEL_DIFF: fitting(_of_kernel_diff(read_tensors(kernel_diff)), KERNEL_DIFF, kernel_diff),
        DWDN: fitting(read_tensors(dwdn), DWDN, dwdn),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KdError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    files = {}
    for (architecture, state), source in zip(states.items(), (kernel_diff, dwdn), strict=True):
        role = find_architecture(architecture).role
        path = folder / f"{role}.safetensors"
        words = {
            "architecture": architecture,
            "command": "kd weights import",
            "source_sha256": digest(source),
        }
        write_atomically(path, save(state, words), overwrite=overwrite)
        files[role] = measure(path)
    return WeightsSet(
        name,
        files,
        licence=f"their authors': see {_SOURCES}",
        data="as published: Kernel-Diff (ECCV 2024) and DWDN (NeurIPS 2020)",
        quality="in the paper, BSD100: MNC 0.698, PSNR 18.95 dB, SSIM 0.492; for --preset paper only",
        folder=folder.resolve(),
    )


def read_tensors(path: Path) -> dict[str, Any]:
    """What a PyTorch file holds: tensors by name, and plain containers of them; no code is ever run.

    Raises:
        UsageError: there is no such file.
        KdError: it holds anything else, or is damaged.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the age of the format
            data = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a pickle can go wrong in any way
        raise KdError(
            f"{path} is no PyTorch file of tensors alone, or is damaged: nothing of it was run, and nothing "
            "taken; download it from its authors again"
        ) from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no tensors by name: name the file that the authors publish")
    return data


def fitting(state: Mapping[str, Any], architecture: str, path: Path) -> dict[str, torch.Tensor]:
    """The tensors, in float32, of a state whose names and shapes are exactly the network's.

    Raises:
        UsageError: they are not.
        KdError: there are numbers among them that are not finite.
    """
    with torch.device("meta"):  # for the shapes alone
        expected = find_architecture(architecture).build().state_dict()
    wrong = [f"no {key}" for key in expected if key not in state]
    wrong += [f"{key}, which that network has not" for key in state if key not in expected]
    wrong += [
        f"{key} of {_shape(state[key])} instead of {_shape(like)}"
        for key, like in expected.items()
        if key in state and not _is_like(state[key], like)
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(f"{path} is of another network than {architecture}: it has {wrong[0]}{more}")
    tensors = {key: state[key].detach().float().contiguous().clone() for key in expected}
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise KdError(f"{path} holds numbers that are not finite: download it again")
    return tensors


def _of_kernel_diff(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The network's part of the file, found as its authors' demonstration finds it; or a bare state dict."""
    state = data.get("model", data)
    if not isinstance(state, dict):
        return {}
    network = {
        key.replace("model.", ""): value
        for key, value in state.items()
        if isinstance(key, str) and "model." in key and "nb_solver" not in key
    }
    return network or state


def _is_like(value: object, like: torch.Tensor) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.shape == like.shape
        and value.is_floating_point()
        and value.layout == torch.strided
        and value.device.type == "cpu"
    )


def _shape(value: object) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
