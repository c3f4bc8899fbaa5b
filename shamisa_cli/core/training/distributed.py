"""Distributed training: each process makes crops of its own, and the loss is that of all crops.

torchrun starts the processes and gives each its rank through the environment. Every process computes the same loss,
that of the global batch, from rows gathered from all of them. Autograd passes through the gathering: the gradients of
all losses with respect to a process's rows are summed. DistributedDataParallel then averages gradients over the
processes. Sum and mean together give the gradient of one loss, as in a single process.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.graphs.crops import CropTable
from shamisa_cli.core.training.pretraining.batches import BatchSettings

BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""Communication backend by device. Small records stay on the CPU, so that no GPU waits for them."""

PATIENCE = timedelta(minutes=10)
"""Longest wait for other processes; the slowest thing that one does alone is to write a checkpoint."""

LOST_PEER = ("gloo", "nccl", "connection closed by peer", "connection reset by peer", "timed out waiting")
"""Words in the errors of a transport when another process no longer answers."""


CPU = torch.device("cpu")


@dataclass(frozen=True)
class World:
    """The processes of one run, from the view of one of them. With a single process nothing is sent.

    Attributes:
        rank: 0…size−1, index of this process.
        size: number of processes.
        device: device of this process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and prints messages."""
        return self.rank == 0

    def gathered(self, rows: Tensor) -> Tensor:
        """Gather the rows (n, …) of all processes by rank, (size·n, …); differentiable. All have the same n."""
        return rows if self.size == 1 else _Gathered.apply(rows, self)

    def gathered_crops(self, rows: Tensor, references: int) -> Tensor:
        """`gathered` for one row per crop, in the order of a single process: all references first.

        Args:
            rows: (n, …), this process's rows, references first.
            references: how many of them are references.
        """
        return _references_first(self.gathered(rows), self.size, references)

    def gathered_nodes(self, nodes: CropTable, batch: BatchSettings) -> CropTable:
        """Gather the record of the global batch, on the CPU; samples are numbered through from process to process.

        Args:
            nodes: of this process.
            batch: the shape of each process's batch.
        """
        if self.size == 1:
            return nodes
        own = replace(nodes, sample=nodes.sample + self.rank * batch.samples)
        columns = [(field.name, getattr(own, field.name)) for field in fields(own)]
        # Float64 holds every entry exactly, so that one message takes them all.
        rows = _everyone(torch.stack([column.double() for _, column in columns], dim=1), self)
        table = _references_first(rows, self.size, batch.references)
        return CropTable(**{name: table[:, k].to(column.dtype) for k, (name, column) in enumerate(columns)})

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a tensor over all processes, without gradient."""
        value = value.detach().clone()
        if self.size > 1:
            dist.all_reduce(value)
        return value / self.size

    def any(self, answer: bool) -> bool:
        """Whether the value is True in any process. All processes must call this."""
        if self.size == 1:
            return answer
        answers = torch.tensor(int(answer))
        dist.all_reduce(answers)
        return bool(answers)

    def check_same(self, step: int) -> None:
        """Raise TrainingError, in all processes, if they are not all at the same step."""
        if self.size == 1:
            return
        steps = _everyone(torch.tensor([step]), self).tolist()
        if len(set(steps)) > 1:
            raise TrainingError(
                f"The processes found checkpoints of different steps ({', '.join(map(str, steps))} by rank). All of "
                "them must see the same run folder: put it on a disk that all machines share."
            )

    def share(self, module: nn.Module) -> None:
        """Copy the weights of the leader's module to all processes."""
        if self.size > 1:
            for value in module.state_dict().values():
                dist.broadcast(value, src=0)

    def replicated(self, module: nn.Module) -> nn.Module:
        """Wrap the module so that gradients are averaged over all processes; the module itself if there is only one."""
        if self.size == 1:
            return module
        return DistributedDataParallel(module)

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.size > 1:
            self.any(False)


@contextmanager
def joined(device: torch.device, environment: Mapping[str, str] = os.environ) -> Iterator[World]:
    """Context that joins the processes that torchrun started, according to the environment; without it, this one alone.

    Args:
        device: "cpu" or "cuda"; each of several processes on a machine takes a GPU of its own.
        environment: environment variables of the process.

    Raises:
        SettingError: variables are missing, or there are fewer GPUs than processes.
        TrainingError: in the block, if another process ends or no longer answers.
    """
    size = _number(environment, "WORLD_SIZE", 1)
    if size == 1:
        yield World(device=device)
        return
    world = World(_number(environment, "RANK"), size, _own_device(device, _number(environment, "LOCAL_RANK")))
    if world.device.type == "cuda":
        torch.cuda.set_device(world.device)
    with _peers_answering(world):
        dist.init_process_group(BACKENDS[world.device.type], timeout=PATIENCE, rank=world.rank, world_size=size)
        yield world
    gc.collect()  # objects in reference cycles would otherwise outlive the group that they use
    # Not after an error: destroying a broken group could wait for a process that has ended.
    dist.destroy_process_group()


def processes_here(environment: Mapping[str, str] = os.environ) -> int:
    """Number of processes of the run on this machine."""
    return max(1, _number(environment, "LOCAL_WORLD_SIZE", 1))


def launcher(environment: Mapping[str, str] = os.environ) -> str:
    """Beginning of the command line that started this program: "shamisa", or torchrun with its options."""
    here, size = processes_here(environment), _number(environment, "WORLD_SIZE", 1)
    machines = f"--nnodes {size // here} " if size > here else ""
    return "shamisa" if size == 1 else f"torchrun {machines}--nproc-per-node {here} -m shamisa_cli"


def _number(environment: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    text = environment.get(name, "" if otherwise is None else str(otherwise))
    if not text.isdecimal():
        raise SettingError(
            f"The environment variable {name} is {text!r}, and several processes need a number there. Start them "
            "with torchrun, which sets it."
        )
    return int(text)


def _own_device(device: torch.device, place: int) -> torch.device:
    """The device of the process with this index on its machine."""
    if device.type not in BACKENDS:
        raise SettingError(f"Several processes cannot train on {device}.", remedy="name-devices")
    if device.type == "cpu":
        return device
    if place >= torch.cuda.device_count():
        raise SettingError(
            f"This machine has {torch.cuda.device_count()} GPUs, and process {place + 1} of its own has none left. "
            "Give torchrun a smaller --nproc-per-node."
        )
    return torch.device("cuda", place)


@contextmanager
def _peers_answering(world: World) -> Iterator[None]:
    """Context in which the transport's errors about a lost process become a TrainingError."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(word in str(error).lower() for word in LOST_PEER):
            raise
        raise TrainingError(
            f"Process {world.rank} of {world.size} lost the others: one of them ended, or no longer answers; its own "
            "message says why. What was done up to the last checkpoint is kept.",
            remedy="go-on-after-loss",
        ) from error


def _everyone(rows: Tensor, world: World) -> Tensor:
    everyone = rows.new_empty(world.size * len(rows), *rows.shape[1:])
    dist.all_gather_into_tensor(everyone, rows.contiguous())
    return everyone


def _references_first(rows: Tensor, parts: int, references: int) -> Tensor:
    """Reorder rows of equal parts, each with its references first, so that all references come first."""
    by_part = rows.reshape(parts, len(rows) // parts, *rows.shape[1:])
    return torch.cat([by_part[:, :references].flatten(0, 1), by_part[:, references:].flatten(0, 1)])


class _Gathered(torch.autograd.Function):
    """Forward: all rows. Backward: the sum over processes of the gradients of this process's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, world: World) -> Tensor:
        ctx.world, ctx.count = world, len(rows)
        return _everyone(rows, world)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.narrow(0, ctx.world.rank * ctx.count, ctx.count), None
