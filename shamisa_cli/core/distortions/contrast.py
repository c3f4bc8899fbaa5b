"""Sharpness and contrast: over-sharpening, contrast up and down, non-linear contrast."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shamisa_cli.core.distortions.colour_spaces import luma
from shamisa_cli.core.distortions.filtering import gaussian_blur
from shamisa_cli.core.distortions.operator import Operator, OperatorContext, column

SHARPEN_SIGMA = 1.0
"""Pixels; the scale of the unsharp mask (ours)."""


def over_sharpen(pictures: Tensor, gain: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Unsharp mask on luma, `gain` times the detail added to every channel."""
    lightness = luma(pictures)
    detail = lightness - gaussian_blur(lightness, torch.full((1,), SHARPEN_SIGMA))
    return pictures + column(gain, pictures) * detail


def change_contrast(pictures: Tensor, amount: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """A curve through black, mid-grey and white with slope (1 + amount) / (1 − amount) at mid-grey.

    Above 0 it is a sigmoid, below 0 that sigmoid's inverse, 0 changes nothing (Schlick's gain function, 1994).
    """
    slope = column((1 + amount) / (1 - amount), pictures)
    centred = 2 * pictures - 1
    return 0.5 + 0.5 * slope * centred / (1 + (slope - 1) * centred.abs())


def nonlinear_contrast(pictures: Tensor, half_range: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """A sine-shaped tone curve whose output spans only 0.5 ± half_range."""
    return 0.5 + column(half_range, pictures) * torch.sin((2 * pictures - 1) * (math.pi / 2))


OPERATORS = (
    Operator("over-sharpen", "contrast", (1, 2, 3, 6, 12), over_sharpen),
    Operator("contrast down", "contrast", (0, -0.15, -0.3, -0.4, -0.6), change_contrast),
    Operator("contrast up", "contrast", (0, 0.15, 0.3, 0.4, 0.6), change_contrast),
    Operator("non-linear contrast", "contrast", (0.4, 0.3, 0.2, 0.1, 0.05), nonlinear_contrast),
)
