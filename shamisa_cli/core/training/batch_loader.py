"""Batches from worker processes, in order, starting at any step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from shamisa_cli.core.errors import SettingError, ShamisaError, TrainingError
from shamisa_cli.core.machine import keep_freed_memory

LOST = "DataLoader worker"
"""How PyTorch's messages about a worker that ended begin."""


class Batch(Protocol):
    """Input of one training step: a frozen dataclass of tensors, or of such dataclasses."""

    @property
    def step(self) -> int:
        """The training step it belongs to."""

    @property
    def unread(self) -> tuple[str, ...]:
        """Sentences on photographs that were left out when it was made."""

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory, from which a GPU copies asynchronously."""

    def to(self, device: torch.device) -> Self:
        """The same batch on another device."""


SomeBatch = TypeVar("SomeBatch", bound=Batch)
Item = TypeVar("Item", covariant=True)


def worker_items(stream: Callable[[], Iterator[Item]], *, workers: int, pin: bool) -> Iterator[Item]:
    """Yield the items of a stream that worker processes make, in order.

    Args:
        stream: called in each worker, so it must be picklable; yields that worker's items, see `worker_steps`.
        workers: number of workers; 0 makes all items in this process.
        pin: copy items into page-locked memory.

    Raises:
        TrainingError: an item could not be made, or a worker was killed.
    """
    loader = DataLoader(
        _Reported(stream),
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_begin_worker,
        generator=torch.Generator(),  # its own, so that starting workers does not change the global one
    )
    with lost_workers():
        for item in loader:
            if isinstance(item, _Failure):
                raise TrainingError(item.sentence)
            yield item


@contextmanager
def lost_workers() -> Iterator[None]:
    """Turn the error about a worker process that ended into a sentence.

    The loader raises it from a signal handler, so wherever the process happens to be.

    Raises:
        TrainingError: a worker was killed, or ended by itself.
    """
    try:
        yield
    except RuntimeError as error:
        if LOST not in str(error):
            raise
        raise TrainingError(
            f"A worker process, which makes batches, ended ({error}). If memory ran out, use fewer workers."
        ) from error


def prefetch(batches: Iterable[SomeBatch], device: torch.device) -> Iterator[SomeBatch]:
    """Yield the batches on the device; a GPU copies each one while it computes on the previous one."""
    if device.type != "cuda":
        for batch in batches:
            yield batch.to(device)
        return
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    copied: SomeBatch | None = None
    for batch in batches:
        if copied is not None:
            yield _ready(copied, copying)
        with torch.cuda.stream(copying):
            copied = batch.to(device)
    if copied is not None:
        yield _ready(copied, copying)


def _ready(batch: SomeBatch, copying: torch.cuda.Stream) -> SomeBatch:
    """Make the current CUDA stream, not this process, wait until the batch is copied."""
    using = torch.cuda.current_stream(copying.device)
    using.wait_stream(copying)
    for tensor in _tensors(batch):
        if tensor.is_cuda:
            tensor.record_stream(using)
    return batch


def _tensors(record: Any) -> Iterator[Tensor]:
    """The tensors in a dataclass and in nested ones."""
    for value in vars(record).values():
        if isinstance(value, Tensor):
            yield value
        elif is_dataclass(value):
            yield from _tensors(value)


@dataclass(frozen=True)
class _Failure:
    """An error passed on from a worker; the loader would turn an exception into a traceback."""

    sentence: str


class _Reported(IterableDataset[Item | _Failure], Generic[Item]):
    """A stream that yields an error as its last item."""

    def __init__(self, stream: Callable[[], Iterator[Item]]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Item | _Failure]:
        try:
            yield from self._stream()
        except ShamisaError as error:
            yield _Failure(str(error))


def _begin_worker(_: int) -> None:
    keep_freed_memory()
    _leave_signals_to_the_parent()


def _leave_signals_to_the_parent() -> None:
    """Leave the process group, to which Ctrl-C and a cluster's SIGTERM are sent; the parent alone reacts to them.

    A worker cannot simply ignore SIGTERM, since its parent uses it too.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def worker_steps(start: int, stop: int) -> range:
    """Steps from `start` to before `stop` whose batches this process makes: in worker w of W, every W-th."""
    worker = get_worker_info()
    offset, stride = (worker.id, worker.num_workers) if worker else (0, 1)
    return range(start + offset, stop, stride)


def require_photos(pool: Sequence[Path], photos: int, kind: str) -> None:
    """Raise SettingError if there are fewer `kind` photographs than a batch needs."""
    if len(pool) < photos:
        raise SettingError(
            f"A batch needs {photos} different {kind} photographs and there are {len(pool)}; name a folder with more."
        )
