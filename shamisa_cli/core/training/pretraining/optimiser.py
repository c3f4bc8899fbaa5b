"""Parameter groups and learning rates of the self-supervised task."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from shamisa_cli.core.networks.backbones import Backbone
from shamisa_cli.core.training.optimiser import annealed, trained_parameters
from shamisa_cli.core.training.pretraining.config import TrainingConfig


def build_optimiser(backbone: Backbone, heads: nn.Module, config: TrainingConfig) -> Optimizer:
    """Build an optimiser with one group for each trained stage of the backbone and a last one for the heads.

    Each group has `base_lr`; the last stage has `config.encoder_lr`, each earlier one `stage_lr_decay`
    times the rate of the one after it. Parameters without `requires_grad` are left out. On CUDA one kernel updates
    all parameters of a group.
    """
    stages = backbone.stage_modules()
    groups = []
    for index, stage in enumerate(stages):
        rate = config.encoder_lr * config.stage_lr_decay ** (len(stages) - 1 - index)
        groups.append({"params": trained_parameters(stage), "base_lr": rate, "lr": rate})
    groups.append({"params": trained_parameters(heads), "base_lr": config.head_lr, "lr": config.head_lr})
    groups = [group for group in groups if group["params"]]
    fused = next(heads.parameters()).device.type == "cuda" or None
    if config.optimiser == "adamw":
        return AdamW(groups, weight_decay=config.weight_decay, fused=fused)
    return SGD(groups, lr=config.head_lr, momentum=config.momentum, weight_decay=config.weight_decay, fused=fused)


def set_learning_rates(optimiser: Optimizer, config: TrainingConfig, step: int) -> None:
    """Set the learning rate of every group for this step; the encoder's are 0 while only the heads are trained."""
    *encoder, heads = optimiser.param_groups
    heads["lr"] = learning_rate(heads["base_lr"], config, step)
    for group in encoder:
        group["lr"] = encoder_learning_rate(group["base_lr"], config, step)


def learning_rate(base: float, config: TrainingConfig, step: int) -> float:
    """The rate of step 0…steps−1: linear warm-up to `base`, then the schedule down to `minimum_lr`.

    The first step of a warm-up has base/warmup_steps, so no step is without effect. A base below
    `minimum_lr` stays constant.
    """
    if step < config.warmup_steps:
        return base * (step + 1) / config.warmup_steps
    return annealed(base, config.minimum_lr, _position(config, step - config.warmup_steps))


def encoder_learning_rate(base: float, config: TrainingConfig, step: int) -> float:
    """`learning_rate`, but 0 while only the heads are trained."""
    return 0.0 if step < config.heads_first else learning_rate(base, config, step)


def _position(config: TrainingConfig, step: int) -> float:
    """Position, 0…1, of a step after the warm-up in its cosine period; constant schedules stay at 0."""
    if config.schedule == "constant":
        return 0.0
    if config.schedule == "cosine":
        return step / max(1, config.steps - config.warmup_steps - 1)
    period = config.restart_steps
    while step >= period:
        step -= period
        period *= config.restart_factor
    return step / period
