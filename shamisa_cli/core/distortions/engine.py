"""The compositional distortion engine: pictures in, distorted pictures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from shamisa_cli.core.distortions.composition import Composition, Step
from shamisa_cli.core.distortions.operator import Draw, Operator
from shamisa_cli.core.distortions.registry import operator_named

CPU_CHUNK = 2
"""Pictures an operator gets at a time on a CPU: so few that what it makes on the way stays in the cache."""


def distort(views: Tensor, composition: Composition, generator: torch.Generator) -> Tensor:
    """Apply a composition to views at every level of its varying factor.

    What comes before the varying factor is computed once for all levels; random operators draw fresh
    randomness for each crop from `generator`.

    Args:
        views: (V, 3, H, W), sRGB 0…1.
        composition: the steps and their severities.
        generator: on the device of `views`.

    Returns:
        (V, L, 3, H, W) in 0…1.
    """
    levels = len(composition.levels)
    pictures = views
    for position, step in enumerate(composition.steps):
        severities = step.severities
        if position == composition.varying:
            pictures = pictures.repeat_interleave(levels, dim=0)
            severities = step.severities * len(views)
        pictures = _apply_step(pictures, step, severities, generator)
    return pictures.view(len(views), levels, *views.shape[1:])


def apply_operator(
    pictures: Tensor,
    name: str,
    severity: float | Sequence[float],
    generator: torch.Generator,
    *,
    angle: float = 0.0,
    channel: int = 0,
) -> Tensor:
    """Apply one operator alone.

    Args:
        pictures: (M, 3, H, W), sRGB 0…1.
        name: of the operator.
        severity: 0…4, one for all pictures or one for each.
        generator: on the device of `pictures`.
        angle: radians, for operators with a direction.
        channel: 0, 1 or 2, for operators on one channel.

    Returns:
        Pictures of the same shape in 0…1.

    Raises:
        SettingError: there is no operator of that name.
    """
    severities = (severity,) if isinstance(severity, int | float) else tuple(severity)
    return _apply_step(pictures, Step(name, severities, angle, channel), severities, generator)


def _apply_step(pictures: Tensor, step: Step, severities: Sequence[float], generator: torch.Generator) -> Tensor:
    operator = operator_named(step.operator)
    values = _values(operator, severities, len(pictures))
    draw = Draw(generator, step.angle, step.channel)
    size = CPU_CHUNK if pictures.device.type == "cpu" else len(pictures)
    chunks = zip(torch.split(pictures, size), torch.split(values, size), strict=True)
    return torch.cat([operator.apply(chunk, value, draw).clamp_(0, 1) for chunk, value in chunks])


def _values(operator: Operator, severities: Sequence[float], count: int) -> Tensor:
    values = torch.from_numpy(operator.value(np.asarray(severities, dtype=np.float64)))
    return values.expand(count) if len(values) == 1 else values
