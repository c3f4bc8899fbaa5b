"""One training step of the relational networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW

from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.metrics import Speed
from shamisa_cli.core.training.optimiser import annealed, gradient_norm
from shamisa_cli.core.training.relational.batches import RelationalBatch
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig
from shamisa_cli.core.training.relational.objective import relational_loss


@dataclass(frozen=True)
class RelationalMetrics:
    """Metrics of one step of the relational task.

    Attributes:
        step: index of the step, 0 for the first.
        total: the loss that is minimised, its mean over all processes.
        terms: the terms of `relational_loss`, by name.
        grad_norm: L2 norm of the whole gradient, before clipping.
        trunk_lr, head_lr: learning rates.
        speed: crops per second, and the share of time spent waiting.
    """

    step: int
    total: float
    terms: Mapping[str, float]
    grad_norm: float
    trunk_lr: float
    head_lr: float
    speed: Speed

    @property
    def crops(self) -> int:
        """Number of images in the batch, over all processes."""
        return self.speed.crops

    @property
    def crops_per_s(self) -> float:
        """Images per second over the whole step."""
        return self.speed.crops_per_s

    @property
    def wait_share(self) -> float:
        """Share of the step's time, 0…1, spent waiting for data."""
        return self.speed.wait_share

    def to_json(self) -> dict[str, Any]:
        """The line for metrics.jsonl; terms and speed are entries like the others."""
        rates = {"trunk_lr": self.trunk_lr, "head_lr": self.head_lr}
        start = {"step": self.step, "total": self.total}
        return {**start, **self.terms, "grad_norm": self.grad_norm, **rates, **asdict(self.speed)}


class RelationalLearner(nn.Module):
    """The model and its loss. The trunk keeps its initial batch-norm statistics, unless its weights began random.

    Args:
        model: the model to train.
        config: the run's settings.
    """

    def __init__(self, model: RelationalModel, config: RelationalTrainingConfig) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.config = config
        model.distortion.trunk.requires_grad_(config.trunk_lr > 0)
        self.train()

    def train(self, mode: bool = True) -> RelationalLearner:
        """Set train mode, except for statistics that are kept."""
        super().train(mode)
        if self.config.init != "none":
            for module in self.model.distortion.trunk.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, batch: RelationalBatch) -> dict[str, Tensor]:
        """The terms of a batch's loss by name; "total" is what is minimised."""
        return relational_loss(self.model, batch, self.config.objective)


class RelationalStep:
    """Learner and optimiser of one run.

    Args:
        learner: on the world's device.
        config: the run's settings.
        world: the processes that train together; gradients are the mean of those of their own batches.

    Attributes:
        names: the name of each of the learner's parameters.
        metric_names: names of the values of `gradients`, in order; known once it has been called.
    """

    needs_start = False
    if_memory_ends = "Lower batch.sets, batch.versions or batch.crop."
    if_it_diverges = "Try lower trunk_lr and head_lr, a longer warmup_steps, or gradient_clip = 1.0."

    def __init__(self, learner: RelationalLearner, config: RelationalTrainingConfig, world: World) -> None:
        self.learner = learner
        self.config = config
        self.names: Mapping[Tensor, str] = {value: name for name, value in learner.named_parameters()}
        self.metric_names: tuple[str, ...] = ()
        trunk = dict.fromkeys(learner.model.distortion.trunk.parameters())
        head = [value for value in self.names if value not in trunk]
        groups = [list(trunk)] if config.trunk_lr else []
        self.optimiser = AdamW(
            [{"params": group} for group in (*groups, head)],
            weight_decay=config.weight_decay,
            fused=world.device.type == "cuda" or None,
        )
        self._world = world
        self._replica = world.replicated(learner)

    def gradients(self, batch: RelationalBatch, step: int) -> Tensor:
        """Compute the gradients of a batch's loss, averaged over all processes; weights do not change yet.

        Returns:
            Float32 on the device, not synchronised: the values of `metric_names`, averaged over all processes.
        """
        if step == 0 and not self.learner.model.distortion.calibrated:
            self._calibrate(batch)
        terms: dict[str, Tensor] = self._replica(batch)
        self.optimiser.zero_grad(set_to_none=True)
        terms["total"].backward()  # type: ignore[no-untyped-call]
        self.metric_names = (*terms, "grad_norm")
        told = self._world.mean(torch.stack([term.detach().float() for term in terms.values()]))
        return torch.cat([told, gradient_norm(self.names)[None]])

    def descend(self, step: int) -> None:
        """Update the weights."""
        *trunk, head = self.optimiser.param_groups
        head["lr"] = learning_rate(self.config.head_lr, self.config, step)
        for group in trunk:
            group["lr"] = learning_rate(self.config.trunk_lr, self.config, step)
        if self.config.gradient_clip:
            clip_grad_norm_(self.learner.parameters(), self.config.gradient_clip)
        self.optimiser.step()

    def _calibrate(self, batch: RelationalBatch) -> None:
        """Scale the head's inputs on the leader's first batch."""
        self.learner.model.distortion.calibrate(batch.pictures[:, 0], batch.pictures[:, -1])
        self._world.share(self.learner.model)

    def to_metrics(self, step: int, values: Mapping[str, float], speed: Speed) -> RelationalMetrics:
        """Build the metrics of a step from its values."""
        return RelationalMetrics(
            step=step,
            total=values["total"],
            terms={name: value for name, value in values.items() if name not in ("total", "grad_norm")},
            grad_norm=values["grad_norm"],
            trunk_lr=learning_rate(self.config.trunk_lr, self.config, step),
            head_lr=learning_rate(self.config.head_lr, self.config, step),
            speed=speed,
        )

    def remember_start(self) -> None:
        """Do nothing: the initial weights are not needed."""

    def scaler_state(self) -> dict[str, float]:
        """Empty: a checkpoint needs no numbers beside tensors."""
        return {}

    def restore_scaler(self, numbers: Mapping[str, float]) -> None:
        """Do nothing: there is no loss scale."""

    def scaler_overflowed(self) -> bool:
        """False: all computation is in float32."""
        return False


def learning_rate(base: float, config: RelationalTrainingConfig, step: int) -> float:
    """The rate of step 0…steps−1: linear warm-up to `base`, then a cosine down to `minimum_lr`."""
    if step < config.warmup_steps:
        return base * (step + 1) / config.warmup_steps
    whole = max(1, config.steps - config.warmup_steps - 1)
    return annealed(base, config.minimum_lr, (step - config.warmup_steps) / whole)
