"""SHAMISA's objective as a task of the trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.training.batch_loader import prefetch, worker_items
from shamisa_cli.core.training.curves import PANELS, Panel
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.model_card import save_trained_encoder
from shamisa_cli.core.training.pretraining.batch_recipe import TrainingBatch
from shamisa_cli.core.training.pretraining.batches import BatchStream
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.learner import Learner
from shamisa_cli.core.training.pretraining.step import PretrainingStep
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord
from shamisa_cli.core.training.task import BatchSource


class ShamisaTask:
    """Pretraining of an encoder without human scores."""

    def panels(self, lines: Sequence[dict[str, Any]]) -> Sequence[Panel]:  # noqa: ARG002
        return PANELS

    def batches(
        self, pristine: Sequence[Path], real: Sequence[Path], config: TrainingConfig, *, workers: int, world: World
    ) -> BatchSource:
        if real and not (config.batch.real_share or config.batch.retained):
            raise SettingError(
                "Real photographs are named, but batch.real_share and batch.retained are 0, so none would be used. "
                "Set one of them above 0."
            )
        return batch_source(pristine, real, config, workers=workers, world=world)

    def work(self, config: TrainingConfig, world: World, *, begun: bool) -> PretrainingStep:
        weights = None if begun or config.init == "none" else initial_state(config.architecture, config.init)
        return PretrainingStep(Learner(config, weights, world).to(world.device), config, world)

    def save(self, run: RunFolder, record: RunRecord, work: PretrainingStep, *, seconds: float) -> None:
        save_trained_encoder(run, record, work.learner.backbone, seconds=seconds)


def batch_source(
    pristine: Sequence[Path],
    real: Sequence[Path],
    config: TrainingConfig,
    *,
    workers: int,
    world: World | None = None,
) -> Callable[[int], Iterator[TrainingBatch]]:
    """Return a function from a step to the batches of a run from that step on.

    Args:
        pristine, real: photographs to draw references from.
        config: the run's settings.
        workers: processes that make batches; 0 makes them in this one. Their number does not affect the batches.
        world: the processes that train together; each gets its own batches. This one alone when None.

    Raises:
        SettingError: there are too few photographs; raised at once, before training begins.
    """

    place = world or World()

    def stream(start_step: int) -> BatchStream:
        steps = {"start_step": start_step, "steps": config.steps}
        return BatchStream(pristine, real, config.batch, seed=config.seed, rank=place.rank, **steps)

    def batches(start_step: int) -> Iterator[TrainingBatch]:
        pin = place.device.type == "cuda"
        return prefetch(worker_items(stream(start_step).__iter__, workers=workers, pin=pin), place.device)

    stream(0)
    return batches
