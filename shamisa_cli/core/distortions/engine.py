"""The compositional distortion engine: pictures in, distorted pictures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from shamisa_cli.core.distortions.composition import AppliedOperator, Composition
from shamisa_cli.core.distortions.operator import OperatorContext
from shamisa_cli.core.distortions.registry import get_operator
from shamisa_cli.core.torch_state import as_torch_ships

CPU_CHUNK = 3
"""Images distorted at a time on a CPU: few enough for intermediate results to stay in the processor's cache."""


def distort(
    views: Tensor,
    composition: Composition,
    generator: torch.Generator,
    *,
    threads: int = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Apply a composition to views at every level of its varying factor.

    Operators before the varying factor are computed once for all levels; random operators draw new
    random numbers for each crop from `generator`.

    Args:
        views: (V, 3, H, W), sRGB 0…1.
        composition: the steps and their severities.
        generator: on the device of `views`.
        threads: as in `apply_operator`.
        out: (V, L, 3, H, W), where the result is put.

    Returns:
        (V, L, 3, H, W) in 0…1.
    """
    levels = len(composition.severities)
    result = views.new_empty(len(views), levels, *views.shape[1:]) if out is None else out
    varying, *later = composition.steps[composition.varying :]
    for step in composition.steps[: composition.varying]:
        views = _in_chunks(views, step, step.severities, OperatorContext(generator, step.angle, step.channel, threads))
    # On a CPU a few crops at a time pass through all steps, rather than all crops through each step in turn.
    some_views, some_levels = (1, CPU_CHUNK) if views.device.type == "cpu" else (len(views), levels)
    for view in range(0, len(views), some_views):
        for level in range(0, levels, some_levels):
            place = result[view : view + some_views, level : level + some_levels]
            crops = views[view : view + some_views].repeat_interleave(place.shape[1], dim=0)
            drawn = composition.severities[level : level + some_levels] * place.shape[0]
            for step, severities in ((varying, drawn), *((step, step.severities) for step in later)):
                crops = _applied(crops, step, severities, OperatorContext(generator, step.angle, step.channel, threads))
            place.copy_(crops.view(place.shape))
    return result


@as_torch_ships()
def apply_operator(
    pictures: Tensor,
    name: str,
    severity: float | Sequence[float],
    generator: torch.Generator,
    *,
    angle: float = 0.0,
    channel: int = 0,
    threads: int = 1,
) -> Tensor:
    """Apply one operator alone.

    Args:
        pictures: (M, 3, H, W), sRGB 0…1.
        name: of the operator.
        severity: 0…4, one for all pictures or one for each.
        generator: on the device of `pictures`.
        angle: radians, for operators with a direction.
        channel: 0, 1 or 2, for operators on one channel.
        threads: number of threads for the codecs, for images on a GPU; it does not change the result.

    Returns:
        Pictures of the same shape in 0…1.

    Raises:
        SettingError: there is no operator of that name.
    """
    severities = (severity,) if isinstance(severity, int | float) else tuple(severity)
    step = AppliedOperator(name, severities, angle, channel)
    return _in_chunks(pictures, step, severities, OperatorContext(generator, angle, channel, threads))


def _in_chunks(pictures: Tensor, step: AppliedOperator, severities: Sequence[float], draw: OperatorContext) -> Tensor:
    """Apply one step to many images, in chunks that suit the device."""
    size = CPU_CHUNK if pictures.device.type == "cpu" else len(pictures)
    each = tuple(severities) if len(severities) > 1 else tuple(severities) * len(pictures)
    starts = range(0, len(pictures), size)
    return torch.cat([_applied(pictures[i : i + size], step, each[i : i + size], draw) for i in starts])


def _applied(pictures: Tensor, step: AppliedOperator, severities: Sequence[float], draw: OperatorContext) -> Tensor:
    """One step on pictures, with one severity for all of them or one for each."""
    operator = get_operator(step.operator)
    values = torch.from_numpy(operator.value(np.asarray(severities, dtype=np.float64)))
    return operator.apply(pictures, values.expand(len(pictures)), draw).clamp_(0, 1)
