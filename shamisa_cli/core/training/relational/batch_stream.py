"""The batches of a relational run, each a function of (seed, step, rank) alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from shamisa_cli.core.training.batch_loader import require_photos, worker_steps
from shamisa_cli.core.training.relational.batches import RelationalBatch, draw_batch
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig


class OrderedSetStream:
    """The batches of a run, starting at any step.

    Args:
        pristine: photographs taken as undistorted.
        real: photographs that already have faults; if there are any, every other set starts from one.
        config: the run's settings.
        rank: rank of this process; each process gets its own batches.

    Raises:
        SettingError: there are no photographs.
    """

    def __init__(
        self, pristine: Sequence[Path], real: Sequence[Path], config: RelationalTrainingConfig, *, rank: int = 0
    ) -> None:
        require_photos(pristine, 1, "pristine")
        self.pools = tuple(tuple(pool) for pool in (pristine, real) if pool)
        self.config, self.rank = config, rank

    def from_step(self, start_step: int) -> Callable[[], Iterator[RelationalBatch]]:
        """A function to be called in a worker, which makes that worker's batches from a step on."""
        return partial(self._own_batches, start_step)

    def batch(self, step: int) -> RelationalBatch:
        """The batch of one step, on the CPU.

        Raises:
            TrainingError: the photographs cannot be read.
        """
        rng = np.random.default_rng([self.config.seed, step, self.rank])
        return draw_batch(self.pools, self.config.batch, rng, step)

    def _own_batches(self, start_step: int) -> Iterator[RelationalBatch]:
        return map(self.batch, worker_steps(start_step, self.config.steps))
