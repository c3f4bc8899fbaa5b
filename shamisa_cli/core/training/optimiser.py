"""Parameter groups, learning rates as a function of the step, and optimiser state as named tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from shamisa_cli.core.errors import TrainingError


def annealed(base: float, minimum: float, position: float) -> float:
    """On a cosine from `base` at position 0 to `minimum` at 1; a base below the minimum stays constant."""
    low = min(minimum, base)
    return low + (base - low) * (1 + math.cos(math.pi * position)) / 2


def optimiser_tensors(optimiser: Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimiser's state, flat: `<parameter name>.<state name>` → tensor."""
    return {
        f"{names[parameter]}.{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]) -> None:
    """Restore the state from `optimiser_tensors`, in each parameter's own memory layout and on its device.

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
        else:  # a step counter: on the CPU, unless a fused kernel reads it with the parameters
            fused = optimiser.defaults["fused"]
            optimiser.state[parameter][key] = value.to(parameter.device if fused else "cpu")


def trained_parameters(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """L2 norm of all gradients together, on their device; parameters without a gradient are skipped."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm: Tensor = torch.stack(torch._foreach_norm(gradients)).norm()
    return norm


def broken_gradient(names: Mapping[Tensor, str]) -> str:
    """Name of a parameter whose gradient is not finite; waits for the device."""
    gradients = ((name, value.grad) for value, name in names.items() if value.grad is not None)
    return next((name for name, gradient in gradients if not gradient.isfinite().all()), "all weights together")
