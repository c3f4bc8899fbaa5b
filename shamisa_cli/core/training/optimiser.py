"""Parameter groups, learning rates as a function of the step, and optimiser state as named tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.networks.backbones import Backbone
from shamisa_cli.core.training.pretraining.config import TrainingConfig


def build_optimiser(backbone: Backbone, heads: nn.Module, config: TrainingConfig) -> Optimizer:
    """An optimiser with one group for each trained stage of the backbone and a last one for the heads.

    Each group has `base_lr`; the last stage has `config.encoder_lr`, each earlier one `stage_lr_decay`
    times the rate of the one after it. Parameters that want no gradient are left out. On CUDA one kernel moves
    all parameters of a group.
    """
    stages = backbone.stage_modules()
    groups = []
    for index, stage in enumerate(stages):
        rate = config.encoder_lr * config.stage_lr_decay ** (len(stages) - 1 - index)
        groups.append({"params": _trained(stage), "base_lr": rate, "lr": rate})
    groups.append({"params": _trained(heads), "base_lr": config.head_lr, "lr": config.head_lr})
    groups = [group for group in groups if group["params"]]
    fused = next(heads.parameters()).device.type == "cuda" or None
    if config.optimiser == "adamw":
        return AdamW(groups, weight_decay=config.weight_decay, fused=fused)
    return SGD(groups, lr=config.head_lr, momentum=config.momentum, weight_decay=config.weight_decay, fused=fused)


def set_learning_rates(optimiser: Optimizer, config: TrainingConfig, step: int) -> None:
    """Give every group its rate for this step; the encoder's are 0 while only the heads learn."""
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


def annealed(base: float, minimum: float, position: float) -> float:
    """On a cosine from `base` at position 0 to `minimum` at 1; a base below the minimum stays constant."""
    low = min(minimum, base)
    return low + (base - low) * (1 + math.cos(math.pi * position)) / 2


def encoder_learning_rate(base: float, config: TrainingConfig, step: int) -> float:
    """`learning_rate`, but 0 while only the heads learn."""
    return 0.0 if step < config.heads_first else learning_rate(base, config, step)


def _position(config: TrainingConfig, step: int) -> float:
    """0…1, how far into a cosine period a step after the warm-up is; constant schedules stay at 0."""
    if config.schedule == "constant":
        return 0.0
    if config.schedule == "cosine":
        return step / max(1, config.steps - config.warmup_steps - 1)
    period = config.restart_steps
    while step >= period:
        step -= period
        period *= config.restart_factor
    return step / period


def optimiser_tensors(optimiser: Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimiser's state, flat: `<parameter name>.<state name>` → tensor."""
    return {
        f"{names[parameter]}.{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave, in each parameter's own memory layout and on its device.

    Raises TrainingError if a tensor belongs to no parameter.
    """
    parameters = {name: parameter for parameter, name in names.items()}
    optimiser.state.clear()
    for flat_name, value in tensors.items():
        name, _, key = flat_name.rpartition(".")
        if name not in parameters:
            raise TrainingError(f"The checkpoint holds optimiser state for {name!r}, which this run does not train.")
        parameter = parameters[name]
        if value.shape == parameter.shape and value.ndim > 0:
            optimiser.state[parameter][key] = torch.empty_like(parameter).copy_(value)
        else:  # a count of steps: on the CPU, unless one kernel reads it beside the parameters
            fused = optimiser.defaults["fused"]
            optimiser.state[parameter][key] = value.to(parameter.device if fused else "cpu")


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """L2 norm of all gradients together, on their device; parameters without one are passed over."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm: Tensor = torch.stack(torch._foreach_norm(gradients)).norm()
    return norm


def broken_gradient(names: Mapping[Tensor, str]) -> str:
    """The name of a parameter whose gradient is not finite; waits for the device."""
    gradients = ((name, value.grad) for value, name in names.items() if value.grad is not None)
    return next((name for name, gradient in gradients if not gradient.isfinite().all()), "all weights together")
