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
from shamisa_cli.core.memory import keep_freed_memory
from shamisa_cli.core.training.batches import BatchStream
from shamisa_cli.core.training.config import TrainingConfig
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.recipes import BatchRecipe, TrainingBatch


def batch_source(
    pristine: Sequence[Path],
    real: Sequence[Path],
    config: TrainingConfig,
    *,
    workers: int,
    world: World | None = None,
    engine: torch.device | str = "cpu",
    threads: int = 1,
) -> Callable[[int], Iterator[TrainingBatch]]:
    """A function that gives the batches of a run from a step on.

    Args:
        pristine, real: photographs to draw references from.
        config: the run's settings.
        workers: processes that make batches; 0 makes them in this one. Their number changes no batch.
        world: the processes that train together; each gets other batches. One alone when None.
        engine: where crops are distorted. On a CPU the workers do it; for a GPU they only read and crop
            photographs, and this process distorts them there, where the batches stay.
        threads: run codecs for an engine on a GPU; their number changes no batch either.

    Raises:
        SettingError: there are too few photographs; known at once, before anything is begun.
    """

    place = world or World()

    def stream(start_step: int) -> BatchStream:
        steps = {"start_step": start_step, "steps": config.steps}
        return BatchStream(pristine, real, config.batch, seed=config.seed, rank=place.rank, **steps)

    def batches(start_step: int) -> Iterator[TrainingBatch]:
        distorting = torch.device(engine).type == "cpu"
        loader = DataLoader(
            _Reported(stream(start_step), distorting),
            batch_size=None,
            num_workers=workers,
            pin_memory=place.device.type == "cuda" and distorting,
            worker_init_fn=_begin_worker,
            generator=torch.Generator(),  # its own, so that starting workers leaves the global one alone
        )
        try:
            yield from ahead(_batches(loader, engine, threads), place.device)
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


def _batches(
    loader: Iterable[TrainingBatch | BatchRecipe | _Failure], engine: torch.device | str, threads: int
) -> Iterator[TrainingBatch]:
    for item in loader:
        if isinstance(item, _Failure):
            raise TrainingError(item.sentence)
        yield item.batch(engine, threads) if isinstance(item, BatchRecipe) else item


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of a worker; the loader would make a traceback of it."""

    sentence: str


class _Reported(IterableDataset[TrainingBatch | BatchRecipe | _Failure]):
    """A stream of batches, or of recipes for them, whose errors are its last item."""

    def __init__(self, stream: BatchStream, distorting: bool) -> None:
        self._stream = stream
        self._distorting = distorting

    def __iter__(self) -> Iterator[TrainingBatch | BatchRecipe | _Failure]:
        try:
            for recipe in self._stream.recipes():
                yield recipe.batch() if self._distorting else recipe
        except ShamisaError as error:
            yield _Failure(str(error))


def _begin_worker(_: int) -> None:
    keep_freed_memory()
    _leave_signals_to_the_parent()


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C, or a cluster's request to end, goes to a whole group of processes; the parent alone decides.

    So a worker leaves the group. It cannot ignore the request to end as such: its parent uses it too.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
