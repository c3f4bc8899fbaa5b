"""Blur: gaussian, lens, motion."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shamisa_cli.core.distortions.filtering import convolve, gaussian_blur
from shamisa_cli.core.distortions.operator import Operator, OperatorContext, on_device_of


def gaussian(pictures: Tensor, sigma: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Gaussian blur of standard deviation `sigma` pixels."""
    return gaussian_blur(pictures, sigma)


def lens(pictures: Tensor, radius: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Out-of-focus blur: a disk of `radius` pixels with an antialiased rim."""
    return convolve(pictures, on_device_of(pictures, disk_kernels(_shared(radius))))


def motion(pictures: Tensor, length: Tensor, draw: OperatorContext) -> Tensor:
    """Motion blur: a line of `length` pixels in the composition's direction."""
    return convolve(pictures, on_device_of(pictures, line_kernels(_shared(length), draw.angle)))


def disk_kernels(radius: Tensor) -> Tensor:
    """(M, k, k) disks whose rim pixels are weighted by how much of them is covered, each summing to 1."""
    x, y = _grid(math.ceil(float(radius.max()) + 0.5))
    coverage = (radius.view(-1, 1, 1) + 0.5 - torch.hypot(x, y)).clamp(0, 1)
    return coverage / coverage.sum(dim=(1, 2), keepdim=True)


def line_kernels(length: Tensor, angle: float) -> Tensor:
    """(M, k, k) antialiased line segments through the centre, each summing to 1; length 1 is a single pixel."""
    x, y = _grid(math.ceil(float(length.max()) / 2 + 0.5))
    along = (x * math.cos(angle) + y * math.sin(angle)).abs()
    across = (y * math.cos(angle) - x * math.sin(angle)).abs()
    inside = (length.view(-1, 1, 1) / 2 + 0.5 - along).clamp(0, 1)
    coverage = inside * (1 - across).clamp(0, 1)
    return coverage / coverage.sum(dim=(1, 2), keepdim=True)


def _grid(radius: int) -> tuple[Tensor, Tensor]:
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64)
    return axis[None, None, :], axis[None, :, None]


def _shared(values: Tensor) -> Tensor:
    """One value where all are equal, so that a single kernel serves the whole batch."""
    return values[:1] if bool((values == values[0]).all()) else values


OPERATORS = (
    Operator("gaussian blur", "blur", (0.1, 0.5, 1, 2, 5), gaussian),
    Operator("lens blur", "blur", (1, 2, 4, 6, 8), lens),
    Operator("motion blur", "blur", (1, 2, 4, 6, 10), motion),
)
