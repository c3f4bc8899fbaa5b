"""Colour: diffusion, channel shift, saturation in HSV and in Lab."""

from __future__ import annotations

import torch
from torch import Tensor

from shamisa_cli.core.distortions.colour_spaces import luma, rgb_to_roots, roots_to_rgb
from shamisa_cli.core.distortions.filtering import displace, gaussian_blur
from shamisa_cli.core.distortions.operator import Operator, OperatorContext, column

EDGE_SIGMA = 4.0
"""Pixels over which edge strength is smoothed before it blends a displaced channel in (ours)."""


def diffusion(pictures: Tensor, amount: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Chroma spreads over its surroundings: a and b of Lab blurred by σ = 1.5·amount + 2, times amount."""
    roots = rgb_to_roots(pictures)
    lightness = roots[:, 1:2]
    chroma = gaussian_blur(roots[:, ::2] - lightness, 1.5 * amount + 2)
    roots[:, ::2] = torch.addcmul(lightness, chroma, column(amount, pictures))
    return roots_to_rgb(roots)


def shift(pictures: Tensor, distance: Tensor, draw: OperatorContext) -> Tensor:
    """One channel displaced by `distance` pixels in the composition's direction, most visibly at edges."""
    channel = pictures[:, draw.channel]
    edges = _edge_strength(pictures)
    shifted = torch.lerp(channel, displace(channel, distance, draw.angle), edges)
    result = pictures.clone()
    result[:, draw.channel] = shifted
    return result


def _edge_strength(pictures: Tensor) -> Tensor:
    """(M, H, W) in 0…1: smoothed gradient magnitude of luma relative to the picture's strongest."""
    grey = luma(pictures)
    magnitude = torch.zeros_like(grey)
    magnitude[..., :, 1:] += (grey[..., :, 1:] - grey[..., :, :-1]).abs()
    magnitude[..., 1:, :] += (grey[..., 1:, :] - grey[..., :-1, :]).abs()
    smooth = gaussian_blur(magnitude, torch.full((1,), EDGE_SIGMA))[:, 0]
    return smooth / smooth.amax(dim=(1, 2), keepdim=True).clamp_min(1e-6)


def saturation_hsv(pictures: Tensor, factor: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """HSV saturation times `factor`; below 0 colours pass through grey to their complement.

    Hue and value are kept, so scaling S moves every channel towards V: no conversion is needed.
    """
    value = pictures.amax(dim=1, keepdim=True)
    return value - column(factor, pictures) * (value - pictures)


def saturation_lab(pictures: Tensor, factor: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Lab chroma (a and b) times `factor`: what makes a colour differ from grey of its lightness."""
    roots = rgb_to_roots(pictures)
    return roots_to_rgb(torch.lerp(roots[:, 1:2], roots, column(factor, pictures)))


OPERATORS = (
    Operator("colour diffusion", "colour", (1, 3, 6, 8, 12), diffusion),
    Operator("colour shift", "colour", (1, 3, 6, 8, 12), shift),
    Operator("HSV saturation", "colour", (0.4, 0.2, 0.1, 0, -0.4), saturation_hsv),
    Operator("Lab saturation", "colour", (1, 2, 3, 6, 9), saturation_lab),
)
