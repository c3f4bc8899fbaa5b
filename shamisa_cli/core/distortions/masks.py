"""Soft masks: the local strength of a distortion in an image."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MaskShape = Literal["whole", "half-plane", "gradient", "blob", "clouds"]
MASK_SHAPES: tuple[MaskShape, ...] = get_args(MaskShape)

CLOUD_CELLS = 4
"""Cells per side of the coarse noise that clouds are made from."""


def draw_mask(shape: MaskShape, height: int, width: int, rng: np.random.Generator) -> Tensor:
    """A random soft mask of the given shape (method: triplets).

    Args:
        shape: "whole" is 1 everywhere; "half-plane" has a soft straight edge; "gradient" rises linearly from
            one side to the other; "blob" is a soft ellipse; "clouds" are soft patches of smooth noise.
        height, width: in pixels.
        rng: the only source of randomness.

    Returns:
        (height, width) float32 in 0…1; its largest value is at least a half.
    """
    if shape == "whole":
        return torch.ones(height, width)
    y, x = _coordinates(height, width)
    if shape == "half-plane":
        return torch.sigmoid((_along(x, y, rng) - rng.uniform(-0.25, 0.25)) / rng.uniform(0.01, 0.08))
    if shape == "gradient":
        return (_along(x, y, rng) / rng.uniform(0.7, 1.2) + 0.5).clamp(0, 1)
    if shape == "blob":
        return _blob(x, y, rng)
    return _clouds(height, width, rng)


def _coordinates(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns, each from −0.5 to 0.5, (H, 1) and (1, W)."""
    return torch.linspace(-0.5, 0.5, height)[:, None], torch.linspace(-0.5, 0.5, width)[None]


def _along(x: Tensor, y: Tensor, rng: np.random.Generator) -> Tensor:
    angle = rng.uniform(0, 2 * math.pi)
    return x * math.cos(angle) + y * math.sin(angle)


def _blob(x: Tensor, y: Tensor, rng: np.random.Generator) -> Tensor:
    """A soft ellipse whose centre lies in the picture."""
    centre_x, centre_y = rng.uniform(-0.35, 0.35, 2)
    axis_x, axis_y = rng.uniform(0.12, 0.4, 2)
    angle, softness = rng.uniform(0, math.pi), rng.uniform(0.05, 0.3)
    along = (x - centre_x) * math.cos(angle) + (y - centre_y) * math.sin(angle)
    across = (y - centre_y) * math.cos(angle) - (x - centre_x) * math.sin(angle)
    radius = ((along / axis_x) ** 2 + (across / axis_y) ** 2).sqrt()
    return torch.sigmoid((1 - radius) / softness)


def _clouds(height: int, width: int, rng: np.random.Generator) -> Tensor:
    """Smooth noise through a soft threshold, scaled so that it reaches 1 somewhere."""
    coarse = torch.from_numpy(rng.normal(size=(1, 1, CLOUD_CELLS, CLOUD_CELLS))).float()
    noise = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)[0, 0]
    patches = torch.sigmoid((noise - noise.mean()) / (0.2 * noise.std() + 1e-6))
    return patches / patches.max()
