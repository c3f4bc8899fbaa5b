"""Distortion operators: a group, five anchor values of the parameter, and a function on a batch of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from shamisa_cli.core.groups import Group

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OperatorContext:
    """Randomness, geometry and resources of one application of an operator.

    Attributes:
        generator: source of new random numbers for every crop, on the device of the images.
        angle: direction of a motion or displacement in radians, 0…2π; drawn once for a composition.
        channel: which of R, G, B (0, 1, 2) an operator on one channel takes; drawn once for a composition.
        threads: number of threads for an operator that works on the CPU, one image at a time.
    """

    generator: torch.Generator
    angle: float = 0.0
    channel: int = 0
    threads: int = 1


Apply = Callable[[Tensor, Tensor, OperatorContext], Tensor]
"""(pictures (M, 3, H, W) in 0…1, parameter values (M,) on the CPU, draw) → pictures of the same shape.

The engine clips results to 0…1, so operators need not clip.
"""


@dataclass(frozen=True)
class Operator:
    """One kind of distortion with a continuous severity.

    Attributes:
        name: unique, for people and records.
        group: one of the seven; a composition takes at most one operator of a group.
        anchors: the parameter's value at severity 0, 1, 2, 3, 4; strictly monotone.
        apply: the distortion itself.
        integer: the parameter only makes sense as a whole number.
    """

    name: str
    group: Group
    anchors: tuple[float, float, float, float, float]
    apply: Apply
    integer: bool = False

    def value(self, severity: FloatArray) -> FloatArray:
        """The parameter at each severity 0…4: piecewise linear between the anchors, rounded if it must be whole."""
        value = np.interp(severity, np.arange(5.0), self.anchors)
        return np.round(value) if self.integer else value

    def applied_severity(self, severity: FloatArray) -> FloatArray:
        """The severity as applied: that of the rounded parameter where it must be whole."""
        if not self.integer:
            return np.asarray(severity, dtype=np.float64)
        anchors = np.asarray(self.anchors)
        sign = np.sign(anchors[-1] - anchors[0])
        return np.asarray(np.interp(sign * self.value(severity), sign * anchors, np.arange(5.0)))


def on_device_of(like: Tensor, values: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """`values` from the CPU on the device of `like` and in its type, unless another is asked for.

    The copy is asynchronous, so that the CPU can run ahead of a GPU.
    """
    return values.to(like.device, dtype or like.dtype, non_blocking=True)


def column(values: Tensor, pictures: Tensor) -> Tensor:
    """Per-picture values (M,) shaped (M, 1, 1, 1) on the device and in the type of `pictures`."""
    return on_device_of(pictures, values).view(-1, 1, 1, 1)


def random_normal(like: Tensor, draw: OperatorContext) -> Tensor:
    """Standard normal numbers of the shape of `like`."""
    return torch.randn(like.shape, generator=draw.generator, device=like.device, dtype=like.dtype)


def random_uniform(shape: tuple[int, ...], like: Tensor, draw: OperatorContext) -> Tensor:
    """Uniform numbers in 0…1 of the given shape on the device of `like`."""
    return torch.rand(shape, generator=draw.generator, device=like.device, dtype=like.dtype)


def random_places(shape: tuple[int, ...], like: Tensor, draw: OperatorContext) -> Tensor:
    """Uniform numbers in −1…1 in steps of 1/32768, on the device of `like`.

    Random numbers take much of the time of an operator that moves every pixel, and this step is fine enough
    for a displacement: four numbers come from each word of the generator.
    """
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64, device=like.device)
    words.random_(torch.iinfo(torch.int64).min, None, generator=draw.generator)
    return words.view(torch.int16)[:count].view(shape).to(like.dtype).div_(32768)
