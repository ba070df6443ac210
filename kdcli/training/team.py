"""Several processes that train one network, as torchrun starts them; a process by itself is a team of one."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist


class Team:
    """The processes of a run, each with photos and blurs of its own, all with the same weights.

    Attributes:
        rank: of this process; the first one validates, reports and writes.
        size: how many there are.
    """

    def __init__(self, device: torch.device):
        """Meets the others, if torchrun has started this process (``WORLD_SIZE``)."""
        self.device = device
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        if self.size > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        self.rank = dist.get_rank() if self.size > 1 else 0

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def agreed(self, value: float) -> float:
        """The first process's value, for all."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared)

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Every gradient becomes its mean over the team."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.size

    def leave(self) -> None:
        """Waits for the others and parts from them."""
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process, where each has one (``LOCAL_RANK``)."""
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device
