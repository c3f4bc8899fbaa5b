"""The loop: batches in, one optimiser step each, numbers and checkpoints out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from shamisa_cli.core.encoder.features import normalised
from shamisa_cli.core.encoder.initialisation import initial_state
from shamisa_cli.core.encoder.spec import Preprocessing
from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.training.batches import TrainingBatch
from shamisa_cli.core.training.checkpoints import Checkpoint
from shamisa_cli.core.training.config import TrainingConfig
from shamisa_cli.core.training.learner import Learner
from shamisa_cli.core.training.metrics import MetricsLog, StepMetrics
from shamisa_cli.core.training.objective import objective
from shamisa_cli.core.training.optimiser import (
    build_optimiser,
    encoder_learning_rate,
    learning_rate,
    optimiser_tensors,
    restore_optimiser,
    set_learning_rates,
)
from shamisa_cli.core.training.retention import Start, forgetting
from shamisa_cli.core.training.runs import RunFolder

CHECKPOINT_EVERY = 100

BatchSource = Callable[[int], Iterable[TrainingBatch]]
"""Called with the step to begin at; gives that step's batch and all later ones in order."""


class Trainer:
    """Trains one run in its folder, from its newest whole checkpoint or from the start if there is none.

    The numbers depend on the settings, the batches and the arithmetic of the machine; not on where a run
    was interrupted.

    Args:
        config: the settings that the run was begun with.
        run: its folder.
        batches: where batches come from.
        device: where to compute.
        checkpoint_every: steps between checkpoints, ≥ 1.

    Raises:
        ModelError: the initial weights cannot be had.
        TrainingError: the run cannot be resumed.
        SettingError: the settings do not fit the architecture.
    """

    def __init__(
        self,
        config: TrainingConfig,
        run: RunFolder,
        batches: BatchSource,
        *,
        device: torch.device | str = "cpu",
        checkpoint_every: int = CHECKPOINT_EVERY,
    ) -> None:
        self.config = config
        self.run_folder = run
        self.step = 0
        self.seconds = 0.0
        self._batches = batches
        self._device = torch.device(device)
        self._checkpoint_every = checkpoint_every
        self._scaler = torch.amp.GradScaler("cuda", enabled=config.amp == "fp16" and self._device.type == "cuda")
        latest = run.checkpoints.latest()
        weights = initial_state(config.architecture, config.init) if latest is None and config.init != "none" else None
        self.learner = Learner(config, weights).to(self._device)
        self._optimiser = build_optimiser(self.learner.backbone, self.learner.heads, config)
        self._names: Mapping[Tensor, str] = {value: name for name, value in self.learner.named_parameters()}
        self._start = self._resume_from(latest)

    def train(
        self,
        *,
        on_step: Callable[[StepMetrics], None] | None = None,
        on_checkpoint: Callable[[int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> bool:
        """Go on to the last step, with a checkpoint now and then and one at the end.

        Args:
            on_step: called after every step, when its metrics are written.
            on_checkpoint: called after every checkpoint but the first, with how many steps are done.
            stop: asked before every step; when it says True a checkpoint is written and training ends.

        Returns:
            Whether the last step has been done.

        Raises:
            TrainingError: a loss or gradient is not finite, memory is used up, or the batches end early.
        """
        if not self.run_folder.checkpoints.steps():
            self._save()
        saved = self.step
        with MetricsLog(self.run_folder.metrics, self.step) as log:
            batches = iter(self._batches(self.step)) if self.step < self.config.steps else iter(())
            while True:
                ending = self.step >= self.config.steps or bool(stop and stop())
                if self.step > saved and (ending or self.step % self._checkpoint_every == 0):
                    log.flush()
                    self._save()
                    saved = self.step
                    if on_checkpoint:
                        on_checkpoint(self.step)
                if ending:
                    return self.step >= self.config.steps
                metrics = self._timed_step(batches)
                log.append(metrics)
                if on_step:
                    on_step(metrics)

    def _timed_step(self, batches: Iterator[TrainingBatch]) -> StepMetrics:
        began = time.perf_counter()
        batch = next(batches, None)
        waited = time.perf_counter() - began
        if batch is None or batch.step != self.step:
            raise TrainingError(
                f"Step {self.step} got {'no batch' if batch is None else f'the batch of step {batch.step}'}; "
                "the stream of batches must go through all steps in order."
            )
        try:
            loss, values = self._forward(batch)
            norm = self._descend(loss)
        except torch.cuda.OutOfMemoryError as error:
            raise TrainingError(
                f"The GPU's memory is used up at step {self.step}. Lower batch.samples or batch.compositions, or "
                f"train with amp = 'bf16'. {self._last_checkpoint()}"
            ) from error
        elapsed = time.perf_counter() - began
        metrics = StepMetrics(
            step=self.step,
            **values,
            grad_norm=norm,
            encoder_lr=encoder_learning_rate(self.config.encoder_lr, self.config, self.step),
            head_lr=learning_rate(self.config.head_lr, self.config, self.step),
            crops=len(batch.crops),
            crops_per_s=len(batch.crops) / elapsed,
            wait_share=waited / elapsed,
        )
        self.step += 1
        self.seconds += elapsed
        return metrics

    def _forward(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and its numbers by name."""
        crops = torch.cat([batch.crops, batch.retained])
        pixels = normalised(crops.to(self._device, non_blocking=True), Preprocessing())
        if self.config.channels_last:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        seen = self.learner.represent(pixels)
        h = seen.h[: len(batch.crops)]
        if self.step == 0 and self.config.calibrate_projector:
            self.learner.projector.calibrate(h.detach())
        z = self.learner.project(h)
        terms = objective(z, self.learner.relate(batch.nodes, h), self.config.objective)
        retention = z.new_zeros(())
        if self._start is not None:
            alone = torch.ones(len(batch.retained), dtype=torch.bool)
            kept = torch.cat([batch.nodes.is_reference, alone]).to(self._device)
            retention = forgetting([stage[kept] for stage in seen.retained], self._start.features(pixels[kept]))
        loss = terms.total + self.config.retention * retention
        values = self._finite(
            {
                "variance": terms.variance,
                "invariance": terms.invariance,
                "covariance": terms.covariance,
                "alignment": terms.alignment,
                "retention": retention,
                "total": loss,
                "z_std": z.detach().std(dim=0).mean(),
                "h_std": h.detach().std(dim=0).mean() * math.sqrt(h.shape[1]),
            }
        )
        return loss, values

    def _descend(self, loss: Tensor) -> float | None:
        """Step down the gradient of `loss`; its norm, or None if fp16 overflowed and the step was left out."""
        set_learning_rates(self._optimiser, self.config, self.step)
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        gradients = [value.grad for value in self._names if value.grad is not None]
        norm = float(torch.stack([gradient.norm() for gradient in gradients]).norm())
        overflow = not math.isfinite(norm)
        if overflow and (not self._scaler.is_enabled() or self._scaler.get_scale() < 1):
            raise TrainingError(
                f"The gradient of {self._broken_gradient()} is not finite at step {self.step}. {self._what_to_try()}"
            )
        if self.config.gradient_clip and not overflow:
            clip_grad_norm_(self.learner.parameters(), self.config.gradient_clip)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return None if overflow else norm

    def _broken_gradient(self) -> str:
        gradients = ((name, value.grad) for value, name in self._names.items() if value.grad is not None)
        return next((name for name, gradient in gradients if not gradient.isfinite().all()), "all weights together")

    def _finite(self, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """The terms as numbers, read from the device at once. Raises TrainingError naming those that are not finite."""
        values = dict(zip(terms, torch.stack([term.detach().float() for term in terms.values()]).tolist(), strict=True))
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            raise TrainingError(
                f"The loss is not finite at step {self.step}: {broken[0]} is {values[broken[0]]}. {self._what_to_try()}"
            )
        return values

    def _what_to_try(self) -> str:
        return (
            "Try lower encoder_lr and head_lr, a longer warmup_steps, gradient_clip = 1.0, or amp = 'none'. "
            + self._last_checkpoint()
        )

    def _last_checkpoint(self) -> str:
        return f"The checkpoint of step {self.run_folder.checkpoints.steps()[-1]} in {self.run_folder.path} is kept."

    def _save(self) -> None:
        groups = {
            "learner": self.learner.state_dict(),
            "optimiser": optimiser_tensors(self._optimiser, self._names),
            "rng": {"cpu": torch.get_rng_state()},
        }
        if self._device.type == "cuda":
            groups["rng"]["cuda"] = torch.cuda.get_rng_state(self._device)
        tensors = {f"{group}.{name}": value for group, named in groups.items() for name, value in named.items()}
        scaler = {"loss_scale": self._scaler.get_scale(), "loss_scale_age": self._scaler._get_growth_tracker()}
        numbers = {"seconds": self.seconds, **(scaler if self._scaler.is_enabled() else {})}
        self.run_folder.checkpoints.save(Checkpoint(self.step, tensors, numbers))

    def _resume_from(self, latest: Checkpoint | None) -> Start | None:
        """Put the newest state in place, and give the frozen start if forgetting is penalised.

        The first checkpoint, of step 0, keeps the start for as long as the run lasts.
        """
        if latest is not None and self.config.retention:
            self._restore(latest if latest.step == 0 else self.run_folder.checkpoints.load(0))
        start = None
        if self.config.retention:
            start = Start(self.learner.backbone, self.config.stages_to_retain)
        if latest is not None:
            self._restore(latest)
        return start

    def _restore(self, checkpoint: Checkpoint) -> None:
        groups: dict[str, dict[str, Tensor]] = {"learner": {}, "optimiser": {}, "rng": {}}
        for flat_name, value in checkpoint.tensors.items():
            group, _, name = flat_name.partition(".")
            groups.setdefault(group, {})[name] = value
        try:
            self.learner.load_state_dict(groups["learner"])
        except RuntimeError as error:
            raise TrainingError(f"The checkpoint of step {checkpoint.step} does not fit the run: {error}") from error
        restore_optimiser(self._optimiser, self._names, groups["optimiser"])
        torch.set_rng_state(groups["rng"]["cpu"])
        if self._device.type == "cuda" and "cuda" in groups["rng"]:
            torch.cuda.set_rng_state(groups["rng"]["cuda"], self._device)
        if self._scaler.is_enabled() and "loss_scale" in checkpoint.numbers:
            scale = checkpoint.numbers["loss_scale"]
            age = int(checkpoint.numbers["loss_scale_age"])
            self._scaler.load_state_dict({**self._scaler.state_dict(), "scale": scale, "_growth_tracker": age})
        self.step = checkpoint.step
        self.seconds = checkpoint.numbers["seconds"]
