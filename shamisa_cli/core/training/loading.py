"""Batches from worker processes, in order, from any step on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from shamisa_cli.core.training.batches import BatchStream, TrainingBatch
from shamisa_cli.core.training.config import TrainingConfig


def batch_source(
    pristine: Sequence[Path],
    real: Sequence[Path],
    config: TrainingConfig,
    *,
    workers: int,
    pin_memory: bool = False,
) -> Callable[[int], Iterable[TrainingBatch]]:
    """A function that gives the batches of a run from a step on.

    Args:
        pristine, real: photographs to draw references from.
        config: the run's settings.
        workers: processes that make batches; 0 makes them in this one. Their number changes no batch.
        pin_memory: for a GPU.

    Raises:
        SettingError: there are too few photographs; known at once, before anything is begun.
    """

    def stream(start_step: int) -> BatchStream:
        return BatchStream(pristine, real, config.batch, seed=config.seed, start_step=start_step, steps=config.steps)

    def batches(start_step: int) -> Iterable[TrainingBatch]:
        return DataLoader(
            stream(start_step),
            batch_size=None,
            num_workers=workers,
            worker_init_fn=_leave_interrupts_to_the_parent,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # its own, so that starting workers leaves the global one alone
        )

    stream(0)
    return batches


def _leave_interrupts_to_the_parent(_: int) -> None:
    """Ctrl-C reaches every process of a terminal; the parent alone decides when to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
