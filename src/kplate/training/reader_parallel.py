"""One process or several that train together (``torchrun``), each on a graphics card or on processors."""

import gc
import os
from dataclasses import dataclass

import torch
import torch.distributed as dist

# Before any group exists: its functions' default is the group of the moment when it is first imported, which
# `DistributedDataParallel` does. It would hold that group for good, and its threads with it; see `leave`.
import torch.distributed.nn.functional
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of a run.

    Attributes:
        rank: Number of this process; 0 writes the files.
        world: Number of processes.
        device: What it computes on.
        local: Number of those of the processes that run on this machine.
    """

    rank: int
    world: int
    device: torch.device
    local: int = 1

    @classmethod
    def from_environment(cls) -> "Ranks":
        """Join the processes that ``torchrun`` has started; alone without it. Takes a GPU where one is."""
        local, world = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", local % torch.cuda.device_count()) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return cls(dist.get_rank() if world > 1 else 0, world, device, here)

    @property
    def first(self) -> bool:
        """Whether this process validates and writes the files."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """Let the processes average their gradients of a network."""
        if self.world == 1:
            return network
        return DistributedDataParallel(
            network, device_ids=[self.device] if self.device.type == "cuda" else None
        )

    def agree(self, *values: float) -> list[float]:
        """Return the first process's values in every process."""
        if self.world == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return [float(value) for value in shared.tolist()]

    def leave(self) -> None:
        """Part from the other processes.

        The threads of the group end with the last reference to it, and have to end here: one that lets go of
        a tensor while the interpreter shuts down aborts the process (pytorch/pytorch#190489).
        """
        if self.world > 1:
            gc.collect()  # wrapped networks that are part of a cycle hold a reference
            dist.destroy_process_group()


#: A process on its own, on processors.
ALONE = Ranks(0, 1, torch.device("cpu"))
