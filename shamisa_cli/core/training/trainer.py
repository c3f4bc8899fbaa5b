"""The training loop: one optimiser step per batch, metrics and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.training.batch_loader import Batch
from shamisa_cli.core.training.checkpoints import CHECKPOINT_EVERY, Checkpoint
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.metrics import Metrics, MetricsLog, Speed
from shamisa_cli.core.training.optimiser import broken_gradient, optimiser_tensors, restore_optimiser
from shamisa_cli.core.training.run_folder import RunFolder
from shamisa_cli.core.training.settings import Settings
from shamisa_cli.core.training.task import BatchSource, TrainingStep
from shamisa_cli.core.training.tasks import task_of

STEPS_UNSEEN = 10
"""Number of steps of a GPU after which their metrics are fetched, since fetching waits for it."""


class Trainer:
    """Trains one run in its folder, from its newest undamaged checkpoint or else from the start.

    Results depend on the settings, the batches, the number of processes and the arithmetic of the machine, but not
    on where a run was interrupted.

    Args:
        config: settings of the run, which also determine its task.
        run: folder of the run; of several processes only the leader writes there.
        batches: source of batches.
        world: device and processes; this process alone on the CPU when None.
        checkpoint_every: steps between checkpoints, ≥ 1.

    Raises:
        ModelError: the initial weights are not available.
        TrainingError: the run cannot be resumed.
        SettingError: the settings do not fit the architecture.
    """

    def __init__(
        self,
        config: Settings,
        run: RunFolder,
        batches: BatchSource,
        *,
        world: World | None = None,
        checkpoint_every: int = CHECKPOINT_EVERY,
    ) -> None:
        self.config = config
        self.run_folder = run
        self.step = 0
        self.seconds = 0.0
        self._batches = batches
        self._world = world or World()
        self._checkpoint_every = checkpoint_every
        latest = run.checkpoints.latest()
        self._world.check_same(latest.step if latest else 0)
        self.work = task_of(config).work(config, self._world, begun=latest is not None)
        self.learner: Any = self.work.learner
        crops = config.crops * self._world.size
        self._readings = PendingMetrics(self.work, crops, STEPS_UNSEEN if self._world.device.type == "cuda" else 1)
        self._resume_from(latest)

    def train(
        self,
        *,
        on_step: Callable[[Metrics], None] | None = None,
        on_checkpoint: Callable[[int], None] | None = None,
        on_unread: Callable[[str], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> bool:
        """Train up to the last step, with regular checkpoints and one at the end.

        Args:
            on_step: called after every step, when its metrics are written.
            on_checkpoint: called after every checkpoint but the first, with the number of completed steps.
            on_unread: called with a sentence for each photograph that a batch had to leave out, each time.
            stop: called before every step; if it returns True, a checkpoint is written and training ends.

        Returns:
            Whether the last step has been completed.

        Raises:
            TrainingError: a loss or gradient is not finite, memory is exhausted, or the batches end early.
        """
        if self._world.leads and not self.run_folder.checkpoints.steps():
            self._save()
        saved = self.step
        with ExitStack() as stack:
            log = stack.enter_context(MetricsLog(self.run_folder.metrics, self.step)) if self._world.leads else None

            def tell() -> None:
                for metrics in self._readings.metrics():
                    if log:
                        log.append(metrics)
                        if on_step:
                            on_step(metrics)

            batches = iter(self._batches(self.step)) if self.step < self.config.steps else iter(())
            while True:
                ending = self.step >= self.config.steps or self._world.any(bool(stop and stop()))
                if self.step > saved and (ending or self.step % self._checkpoint_every == 0):
                    self._check_finite()
                    tell()
                    saved = self.step
                    if log:
                        log.flush()
                        self._save()
                        if on_checkpoint:
                            on_checkpoint(self.step)
                if ending:
                    return self.step >= self.config.steps
                for sentence in self._timed_step(batches):
                    if log and on_unread:
                        on_unread(sentence)
                tell()

    def _timed_step(self, batches: Iterator[Batch]) -> Sequence[str]:
        """Train on the next batch; returns its `unread`."""
        began = time.perf_counter()
        batch = next(batches, None)
        waited = time.perf_counter() - began
        if batch is None or batch.step != self.step:
            raise TrainingError(
                f"Step {self.step} got {'no batch' if batch is None else f'the batch of step {batch.step}'}; "
                "the stream of batches must go through all steps in order."
            )
        try:
            self._readings.add(self.step, self.work.gradients(batch, self.step))
            if self._readings.due:
                self._check_finite()
            self.work.descend(self.step)
        except torch.cuda.OutOfMemoryError as error:
            raise TrainingError(
                f"The GPU's memory is used up at step {self.step}. {self.work.if_memory_ends} {self._last_checkpoint()}"
            ) from error
        elapsed = time.perf_counter() - began
        self._readings.spend(elapsed, waited)
        self.step += 1
        self.seconds += elapsed
        return batch.unread

    def _check_finite(self) -> None:
        """Fetch the metrics of the latest steps. Raises TrainingError naming the first that is not finite."""
        for step, values in self._readings.fetch().items():
            broken = [name for name, value in values.items() if not math.isfinite(value)]
            if broken == ["grad_norm"]:
                if not self.work.scaler_overflowed():
                    raise TrainingError(
                        f"The gradient of {broken_gradient(self.work.names)} is not finite at step {step}. "
                        f"{self._what_to_try()}"
                    )
            elif broken:
                raise TrainingError(
                    f"The loss is not finite at step {step}: {broken[0]} is {values[broken[0]]}. {self._what_to_try()}"
                )

    def _what_to_try(self) -> str:
        return f"{self.work.if_it_diverges} {self._last_checkpoint()}"

    def _last_checkpoint(self) -> str:
        steps = self.run_folder.checkpoints.steps()
        return f"The checkpoint of step {steps[-1]} in {self.run_folder.path} is kept." if steps else ""

    def _save(self) -> None:
        groups = {
            "learner": self.learner.state_dict(),
            "optimiser": optimiser_tensors(self.work.optimiser, self.work.names),
            "rng": {"cpu": torch.get_rng_state()},
        }
        if self._world.device.type == "cuda":
            groups["rng"]["cuda"] = torch.cuda.get_rng_state(self._world.device)
        tensors = {f"{group}.{name}": value for group, named in groups.items() for name, value in named.items()}
        numbers = {"seconds": self.seconds, **self.work.scaler_state()}
        try:
            self.run_folder.checkpoints.save(Checkpoint(self.step, tensors, numbers))
        except OSError as error:
            raise TrainingError(
                f"The checkpoint of step {self.step} could not be written: {error.strerror or error} "
                f"({error.filename}). {self._last_checkpoint()} Resume the run once there is room."
            ) from error

    def _resume_from(self, latest: Checkpoint | None) -> None:
        """Load the newest state, and the initial weights if the task needs them.

        The checkpoint of step 0, which is always kept, holds the initial weights.
        """
        if latest is not None and self.work.needs_start:
            self._restore(latest if latest.step == 0 else self.run_folder.checkpoints.load(0))
        if self.work.needs_start:
            self.work.remember_start()
        if latest is not None:
            self._restore(latest)

    def _restore(self, checkpoint: Checkpoint) -> None:
        groups: dict[str, dict[str, Tensor]] = {"learner": {}, "optimiser": {}, "rng": {}}
        for flat_name, value in checkpoint.tensors.items():
            group, _, name = flat_name.partition(".")
            groups.setdefault(group, {})[name] = value
        try:
            self.learner.load_state_dict(groups["learner"])
        except RuntimeError as error:
            raise TrainingError(f"The checkpoint of step {checkpoint.step} does not fit the run: {error}") from error
        restore_optimiser(self.work.optimiser, self.work.names, groups["optimiser"])
        torch.set_rng_state(groups["rng"]["cpu"])
        if self._world.device.type == "cuda" and "cuda" in groups["rng"]:
            torch.cuda.set_rng_state(groups["rng"]["cuda"], self._world.device)
        self.work.restore_scaler(checkpoint.numbers)
        self.step = checkpoint.step
        self.seconds = checkpoint.numbers.get("seconds", 0.0)


@dataclass
class PendingMetrics:
    """Collects the metrics of several steps, fetches them from the device together, and averages their time.

    Attributes:
        work: the steps' learner and optimiser.
        crops: number of crops of a step, over all processes.
        every: number of steps after which metrics are fetched.
    """

    work: TrainingStep[Any]
    crops: int
    every: int
    _unseen: dict[int, Tensor] = field(default_factory=dict)
    _seen: dict[int, dict[str, float]] = field(default_factory=dict)
    _seconds: float = 0.0
    _waited: float = 0.0

    @property
    def due(self) -> bool:
        """Whether metrics should be fetched now."""
        return len(self._unseen) >= self.every

    def add(self, step: int, numbers: Tensor) -> None:
        """Add the metrics of a step, the values of `work.metric_names`, on the device."""
        self._unseen[step] = numbers

    def spend(self, seconds: float, waited: float) -> None:
        """Add the time of a step, and the part of it spent waiting for its batch."""
        self._seconds += seconds
        self._waited += waited

    def fetch(self) -> dict[int, dict[str, float]]:
        """Fetch the pending metrics, by step and name; waits for the device."""
        if not self._unseen:
            return {}
        rows = torch.stack(list(self._unseen.values())).tolist()
        names = self.work.metric_names
        fetched = {step: dict(zip(names, row, strict=True)) for step, row in zip(self._unseen, rows, strict=True)}
        self._unseen.clear()
        self._seen |= fetched
        return fetched

    def metrics(self) -> list[Metrics]:
        """Metrics of the fetched steps, in order, each with the mean speed of all of them; then reset. May be empty."""
        if not self._seen:
            return []
        seconds, share = self._seconds / len(self._seen), self._waited / self._seconds
        speed = Speed(self.crops, self.crops / seconds, share)
        told = [self.work.to_metrics(step, values, speed) for step, values in self._seen.items()]
        self._seen.clear()
        self._seconds = self._waited = 0.0
        return told
