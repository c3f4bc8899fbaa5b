"""Conversions between sRGB, YCbCr and CIE Lab for batches (M, 3, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor

# IEC 61966-2-1 (sRGB, D65) and ITU-R BT.601.
RGB_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
D65_WHITE = (0.95047, 1.0, 1.08883)
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
YCBCR_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))

_LAB_EPSILON = (6 / 29) ** 3
_LAB_SLOPE = (29 / 6) ** 2 / 3
_LAB_OFFSET = 4 / 29


def mix_channels(pictures: Tensor, matrix: Tensor) -> Tensor:
    """Apply a 3×3 matrix to the channels of (M, 3, H, W)."""
    return torch.matmul(matrix, pictures.flatten(2)).view_as(pictures)


def luma(pictures: Tensor) -> Tensor:
    """BT.601 luma of sRGB values: (M, 3, H, W) → (M, 1, H, W)."""
    red, green, blue = (weight * pictures[:, i : i + 1] for i, weight in enumerate(LUMA_WEIGHTS))
    return red + green + blue


def rgb_to_lab(pictures: Tensor) -> Tensor:
    """sRGB in 0…1 to CIE Lab (D65): L in 0…100, a and b about −100…100."""
    linear = torch.where(pictures <= 0.04045, pictures / 12.92, ((pictures + 0.055) / 1.055).pow(2.4))
    white = pictures.new_tensor(D65_WHITE).view(3, 1)
    xyz = mix_channels(linear, pictures.new_tensor(RGB_TO_XYZ) / white)
    root = xyz.clamp_min(_LAB_EPSILON).pow(1 / 3)
    f = torch.where(xyz > _LAB_EPSILON, root, _LAB_SLOPE * xyz + _LAB_OFFSET)
    x, y, z = f.unbind(dim=1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIE Lab (D65) to sRGB, clipped to 0…1."""
    lightness, a, b = lab.unbind(dim=1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    xyz = torch.where(f > 6 / 29, f.pow(3), (f - _LAB_OFFSET) / _LAB_SLOPE)
    white = lab.new_tensor(D65_WHITE)
    inverse = torch.linalg.inv(lab.new_tensor(RGB_TO_XYZ)) * white
    linear = mix_channels(xyz, inverse).clamp(0, 1)
    encoded = 1.055 * linear.clamp_min(0.0031308).pow(1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, encoded)
