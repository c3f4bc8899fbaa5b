"""Batches from worker processes, in order, from any step on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, IterableDataset

from shamisa_cli.core.errors import ShamisaError, TrainingError
from shamisa_cli.core.training.batches import BatchStream, TrainingBatch
from shamisa_cli.core.training.config import TrainingConfig
from shamisa_cli.core.training.distributed import World


def batch_source(
    pristine: Sequence[Path],
    real: Sequence[Path],
    config: TrainingConfig,
    *,
    workers: int,
    world: World | None = None,
) -> Callable[[int], Iterator[TrainingBatch]]:
    """A function that gives the batches of a run from a step on.

    Args:
        pristine, real: photographs to draw references from.
        config: the run's settings.
        workers: processes that make batches; 0 makes them in this one. Their number changes no batch.
        world: the processes that train together; each gets other batches. One alone when None.

    Raises:
        SettingError: there are too few photographs; known at once, before anything is begun.
    """

    place = world or World()

    def stream(start_step: int) -> BatchStream:
        steps = {"start_step": start_step, "steps": config.steps}
        return BatchStream(pristine, real, config.batch, seed=config.seed, rank=place.rank, **steps)

    def batches(start_step: int) -> Iterator[TrainingBatch]:
        loader = DataLoader(
            _Reported(stream(start_step)),
            batch_size=None,
            num_workers=workers,
            pin_memory=place.device.type == "cuda",
            worker_init_fn=_leave_signals_to_the_parent,
            generator=torch.Generator(),  # its own, so that starting workers leaves the global one alone
        )
        try:
            yield from ahead(_batches(loader), place.device)
        except RuntimeError as error:
            raise TrainingError(
                f"A process that makes batches ended ({error}). If memory ran out, use fewer workers."
            ) from error

    stream(0)
    return batches


def ahead(batches: Iterable[TrainingBatch], device: torch.device) -> Iterator[TrainingBatch]:
    """The batches on the device; a GPU copies each one while it computes on the one before."""
    if device.type != "cuda":
        for batch in batches:
            yield batch.to(device)
        return
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    copied: TrainingBatch | None = None
    for batch in batches:
        if copied is not None:
            yield _ready(copied, copying)
        with torch.cuda.stream(copying):
            copied = batch.to(device)
    if copied is not None:
        yield _ready(copied, copying)


def _ready(batch: TrainingBatch, copying: torch.cuda.Stream) -> TrainingBatch:
    """The batch for the stream in use: that stream, and not this process, waits until the copy is whole."""
    using = torch.cuda.current_stream(batch.crops.device)
    using.wait_stream(copying)
    for pixels in (batch.crops, batch.retained):
        pixels.record_stream(using)
    return batch


def _batches(loader: Iterable[TrainingBatch | _Failure]) -> Iterator[TrainingBatch]:
    for item in loader:
        if isinstance(item, _Failure):
            raise TrainingError(item.sentence)
        yield item


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of a worker; the loader would make a traceback of it."""

    sentence: str


class _Reported(IterableDataset[TrainingBatch | _Failure]):
    """A stream whose errors are its last item."""

    def __init__(self, stream: BatchStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[TrainingBatch | _Failure]:
        try:
            yield from self._stream
        except ShamisaError as error:
            yield _Failure(str(error))


def _leave_signals_to_the_parent(_: int) -> None:
    """Ctrl-C, or a cluster's request to end, goes to a whole group of processes; the parent alone decides.

    So a worker leaves the group. It cannot ignore the request to end as such: its parent uses it too.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
