"""Noise: white in RGB and in YCbCr, impulse, multiplicative."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.distortions.colour_spaces import YCBCR_TO_RGB, mix_channels
from shamisa_cli.core.distortions.operator import Operator, OperatorContext, column, random_normal, random_uniform


def white(pictures: Tensor, variance: Tensor, draw: OperatorContext) -> Tensor:
    """Independent Gaussian noise of `variance` on each channel."""
    return pictures + random_normal(pictures, draw) * column(variance.sqrt(), pictures)


def white_ycbcr(pictures: Tensor, variance: Tensor, draw: OperatorContext) -> Tensor:
    """Independent Gaussian noise of `variance` on Y, Cb and Cr; the conversion is linear, so the noise is converted."""
    noise = random_normal(pictures, draw) * column(variance.sqrt(), pictures)
    return pictures + mix_channels(noise, YCBCR_TO_RGB)


def impulse(pictures: Tensor, density: Tensor, draw: OperatorContext) -> Tensor:
    """A share `density` of all values becomes 0 or 1, half of them each."""
    deviation = 2 * random_uniform(tuple(pictures.shape), pictures, draw) - 1
    rare = F.hardshrink(deviation / (1 - column(density, pictures)), 1.0)  # 0 except for the affected share
    return pictures + rare.sign_()  # one more or less, and clipping makes it white or black


def multiplicative(pictures: Tensor, variance: Tensor, draw: OperatorContext) -> Tensor:
    """Speckle: each value times 1 + Gaussian noise of `variance`."""
    return pictures * (1 + random_normal(pictures, draw) * column(variance.sqrt(), pictures))


OPERATORS = (
    Operator("white noise", "noise", (0.001, 0.002, 0.003, 0.005, 0.01), white),
    Operator("YCbCr noise", "noise", (0.0001, 0.0005, 0.001, 0.002, 0.003), white_ycbcr),
    Operator("impulse noise", "noise", (0.001, 0.005, 0.01, 0.02, 0.03), impulse),
    Operator("multiplicative noise", "noise", (0.001, 0.005, 0.01, 0.02, 0.05), multiplicative),
)
