"""Interface between the trainer and a task: batches, a step on each of them, and a model folder at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn
from torch.optim import Optimizer

from shamisa_cli.core.training.batch_loader import Batch
from shamisa_cli.core.training.curves import Panel
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.metrics import Metrics, Speed
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord

BatchSource = Callable[[int], Iterable[Batch]]
"""From a step to that step's batch and all later ones in order, on the device."""


BatchT = TypeVar("BatchT", contravariant=True)
ConfigT = TypeVar("ConfigT", contravariant=True)
StepT = TypeVar("StepT")


class TrainingStep(Protocol[BatchT]):
    """Learner and optimiser of a run; on a GPU its methods do not wait for the device unless they say so.

    Attributes:
        learner: the module whose state a checkpoint holds.
        optimiser: of its parameters.
        names: the name of each of the learner's parameters.
        metric_names: names of the values of `gradients`, in order, once it has been called, with "grad_norm".
        if_memory_ends, if_it_diverges: advice for these cases, as sentences.
    """

    if_memory_ends: str
    if_it_diverges: str

    @property
    def learner(self) -> nn.Module: ...
    @property
    def optimiser(self) -> Optimizer: ...
    @property
    def names(self) -> Mapping[Tensor, str]: ...
    @property
    def metric_names(self) -> tuple[str, ...]: ...
    @property
    def needs_start(self) -> bool:
        """Whether the task needs the initial weights."""

    def remember_start(self) -> None:
        """Store the current weights as the initial ones."""

    def gradients(self, batch: BatchT, step: int) -> Tensor:
        """Compute the gradients of a batch's loss over all processes, and return metrics; weights do not change."""

    def descend(self, step: int) -> None:
        """Update the weights."""

    def to_metrics(self, step: int, values: Mapping[str, float], speed: Speed) -> Metrics:
        """Build the metrics of a step from its values."""

    def scaler_state(self) -> dict[str, float]:
        """State of the loss scale: the numbers that a checkpoint stores beside tensors."""

    def restore_scaler(self, numbers: Mapping[str, float]) -> None:
        """Restore the state that `scaler_state` returned; `numbers` may hold others too."""

    def scaler_overflowed(self) -> bool:
        """Whether a gradient is not finite only because of the loss scale; waits for the device."""


class Task(Protocol[ConfigT, StepT]):
    """A trainable task with its own kind of settings and of step.

    Settings are a frozen dataclass with `task`, `steps`, `seed` and `crops`.
    """

    def panels(self, lines: Sequence[dict[str, Any]]) -> Sequence[Panel]:
        """The six panels of curves.png, from the lines of a run's metrics."""

    def batches(
        self, pristine: Sequence[Path], real: Sequence[Path], config: ConfigT, *, workers: int, world: World
    ) -> BatchSource:
        """Build the source of batches. Raises SettingError if there are too few photographs for the settings."""

    def work(self, config: ConfigT, world: World, *, begun: bool) -> StepT:
        """Build the learner and optimiser; in a run that has `begun`, a checkpoint will replace the weights."""

    def save(self, run: RunFolder, record: RunRecord, work: StepT, *, seconds: float) -> None:
        """Write RUN/model after a finished run, which spent `seconds` in steps."""
