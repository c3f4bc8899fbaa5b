"""Noise: white in RGB and in YCbCr, impulse, multiplicative."""

from __future__ import annotations

from torch import Tensor

from shamisa_cli.core.distortions.colour_spaces import YCBCR_TO_RGB, mix_channels
from shamisa_cli.core.distortions.operator import Draw, Operator, column, random_normal, random_uniform


def white(pictures: Tensor, variance: Tensor, draw: Draw) -> Tensor:
    """Independent Gaussian noise of `variance` on each channel."""
    return pictures + random_normal(pictures, draw) * column(variance.sqrt(), pictures)


def white_ycbcr(pictures: Tensor, variance: Tensor, draw: Draw) -> Tensor:
    """Independent Gaussian noise of `variance` on Y, Cb and Cr; the conversion is linear, so the noise is converted."""
    noise = random_normal(pictures, draw) * column(variance.sqrt(), pictures)
    return pictures + mix_channels(noise, pictures.new_tensor(YCBCR_TO_RGB))


def impulse(pictures: Tensor, density: Tensor, draw: Draw) -> Tensor:
    """A share `density` of all values becomes 0 or 1, half of them each."""
    chance = random_uniform(tuple(pictures.shape), pictures, draw)
    half = column(density, pictures) / 2
    return pictures.masked_fill(chance < half, 0.0).masked_fill(chance > 1 - half, 1.0)


def multiplicative(pictures: Tensor, variance: Tensor, draw: Draw) -> Tensor:
    """Speckle: each value times 1 + Gaussian noise of `variance`."""
    return pictures * (1 + random_normal(pictures, draw) * column(variance.sqrt(), pictures))


OPERATORS = (
    Operator("white noise", "noise", (0.001, 0.002, 0.003, 0.005, 0.01), white),
    Operator("YCbCr noise", "noise", (0.0001, 0.0005, 0.001, 0.002, 0.003), white_ycbcr),
    Operator("impulse noise", "noise", (0.001, 0.005, 0.01, 0.02, 0.03), impulse),
    Operator("multiplicative noise", "noise", (0.001, 0.005, 0.01, 0.02, 0.05), multiplicative),
)
