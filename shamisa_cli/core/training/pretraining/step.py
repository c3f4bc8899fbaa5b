"""One training step on crops that are already on the device: gradients, metrics and the update of the weights.

On a GPU a step only queues work and returns; reading a metric waits until the work is done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from shamisa_cli.core.networks.features import normalised
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.metrics import Speed
from shamisa_cli.core.training.optimiser import gradient_norm
from shamisa_cli.core.training.pretraining.batch_recipe import TrainingBatch
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.learner import Learner, LearnerOutput
from shamisa_cli.core.training.pretraining.objective import objective
from shamisa_cli.core.training.pretraining.optimiser import (
    build_optimiser,
    encoder_learning_rate,
    learning_rate,
    set_learning_rates,
)
from shamisa_cli.core.training.pretraining.retention import InitialEncoder, retention_loss

NUMBERS = ("variance", "invariance", "covariance", "alignment", "retention", "total", "z_std", "h_std", "grad_norm")
"""Names of the values of `PretrainingStep.gradients`, in order; see `StepMetrics`."""


class PretrainingStep:
    """Learner, optimiser and loss scale of one run.

    Args:
        learner: on the world's device.
        config: the run's settings.
        world: the processes that train together.

    Attributes:
        names: the name of each of the learner's parameters.
        start: the frozen initial encoder for retention; set it before the first step if retention is on.
    """

    metric_names = NUMBERS
    if_memory_ends = "Lower batch.samples or batch.compositions, or train with amp = 'bf16'."
    if_it_diverges = "Try lower encoder_lr and head_lr, a longer warmup_steps, gradient_clip = 1.0, or amp = 'none'."

    def __init__(self, learner: Learner, config: TrainingConfig, world: World) -> None:
        self.learner = learner
        self.config = config
        self.optimiser = build_optimiser(learner.backbone, learner.heads, config)
        self.names: Mapping[Tensor, str] = {value: name for name, value in learner.named_parameters()}
        self.scaler = torch.amp.GradScaler("cuda", enabled=config.amp == "fp16" and world.device.type == "cuda")
        self.start: InitialEncoder | None = None
        self._world = world
        self._replica = world.replicated(learner)

    def gradients(self, batch: TrainingBatch, step: int) -> Tensor:
        """Compute the gradients of a batch's loss, over all processes; weights do not change yet.

        Args:
            batch: batch of this process, with its crops on the world's device.
            step: index of the step, 0 for the first.

        Returns:
            (9,) float32 on the device, not synchronised: the values of `NUMBERS`.
        """
        pixels = normalised(torch.cat([batch.crops, batch.retained]), self.learner.backbone.preprocessing)
        if self.config.channels_last:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        nodes = self._world.gathered_nodes(batch.nodes, self.config.batch)
        seen: LearnerOutput = self._replica(pixels, nodes, calibrate=step == 0 and self.config.calibrate_projector)
        references = self.config.batch.references * self._world.size
        terms = objective(seen.z, seen.relations, references, self.config.objective)
        retention = self._retention(seen, pixels, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss = terms.total + self.config.retention * retention
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        kept = self._world.mean(retention)
        numbers = (
            *(terms.variance, terms.invariance, terms.covariance, terms.alignment),
            kept,
            terms.total + self.config.retention * kept,
            seen.z.std(dim=0).mean(),
            seen.h.std(dim=0).mean() * math.sqrt(seen.h.shape[1]),
            gradient_norm(self.names),
        )
        return torch.stack([number.detach().float() for number in numbers])

    def descend(self, step: int) -> None:
        """Update the weights; after an fp16 overflow they are kept, and the loss scale is lowered."""
        set_learning_rates(self.optimiser, self.config, step)
        if self.config.gradient_clip:
            clip_grad_norm_(self.learner.parameters(), self.config.gradient_clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def scaler_state(self) -> dict[str, float]:
        """State of the loss scale, for a checkpoint; empty if it is off."""
        if not self.scaler.is_enabled():
            return {}
        return {"loss_scale": self.scaler.get_scale(), "loss_scale_age": self.scaler._get_growth_tracker()}

    def restore_scaler(self, numbers: Mapping[str, float]) -> None:
        """Restore the state that `scaler_state` returned; `numbers` may hold others too."""
        if self.scaler.is_enabled() and "loss_scale" in numbers:
            state = {"scale": numbers["loss_scale"], "_growth_tracker": int(numbers["loss_scale_age"])}
            self.scaler.load_state_dict(self.scaler.state_dict() | state)

    def scaler_overflowed(self) -> bool:
        """Whether a gradient is not finite only because the fp16 loss scale was too large; waits for the device."""
        return self.scaler.is_enabled() and self.scaler.get_scale() >= 1

    @property
    def needs_start(self) -> bool:
        """Whether the task needs the initial weights."""
        return self.config.retention > 0

    def remember_start(self) -> None:
        """Store the current weights as the initial ones."""
        self.start = InitialEncoder(self.learner.backbone, self.config.stages_to_retain)

    def to_metrics(self, step: int, values: Mapping[str, float], speed: Speed) -> StepMetrics:
        """Build the metrics of a step from its values."""
        told: dict[str, Any] = {name: value for name, value in values.items() if name != "grad_norm"}
        return StepMetrics(
            step=step,
            **told,
            grad_norm=values["grad_norm"] if math.isfinite(values["grad_norm"]) else None,
            encoder_lr=encoder_learning_rate(self.config.encoder_lr, self.config, step),
            head_lr=learning_rate(self.config.head_lr, self.config, step),
            **asdict(speed),
        )

    def _retention(self, seen: LearnerOutput, pixels: Tensor, batch: TrainingBatch) -> Tensor:
        """Retention loss over this process's references and its crops for retention."""
        if self.start is None:
            return pixels.new_zeros(())
        references, related = self.config.batch.references, len(batch.crops)

        def compared(rows: Tensor) -> Tensor:
            return torch.cat([rows[:references], rows[related:]])

        return retention_loss([compared(stage) for stage in seen.retained], self.start.features(compared(pixels)))


@dataclass(frozen=True)
class StepMetrics:
    """Metrics of one step of SHAMISA's objective.

    Attributes:
        step: 0 for the first.
        total: the loss that was minimised.
        variance, invariance, covariance, alignment, retention: its terms before their coefficients.
        z_std: mean over the D columns of z of their standard deviation; the variance term wants 1.
        h_std: the same for h, times √(length of h): near 1 when representations differ, near 0 in collapse.
        grad_norm: L2 norm of the whole gradient, before clipping; None where fp16 overflowed and the
            optimiser left the step out.
        encoder_lr, head_lr: learning rates of the backbone's last stage, and of the heads.
        crops: how many the batch had.
        crops_per_s: crops over the whole time of the step.
        wait_share: 0…1, the share of that time spent waiting for data.
    """

    step: int
    total: float
    variance: float
    invariance: float
    covariance: float
    alignment: float
    retention: float
    z_std: float
    h_std: float
    grad_norm: float | None
    encoder_lr: float
    head_lr: float
    crops: int
    crops_per_s: float
    wait_share: float

    @property
    def terms(self) -> dict[str, float]:
        """The terms of the loss, and the spread of z."""
        named = ("variance", "invariance", "covariance", "alignment", "retention")
        return {**{name: getattr(self, name) for name in named}, "z": self.z_std}

    def to_json(self) -> dict[str, Any]:
        """The line for metrics.jsonl."""
        return asdict(self)
