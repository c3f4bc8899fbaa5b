"""What can be said of the gradients of many parameters at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """L2 norm of all gradients together, on their device; parameters without one are passed over."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm: Tensor = torch.stack(torch._foreach_norm(gradients)).norm()
    return norm


def broken_gradient(names: Mapping[Tensor, str]) -> str:
    """The name of a parameter whose gradient is not finite; waits for the device."""
    gradients = ((name, value.grad) for value, name in names.items() if value.grad is not None)
    return next((name for name, gradient in gradients if not gradient.isfinite().all()), "all weights together")
