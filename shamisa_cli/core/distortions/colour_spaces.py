"""Conversions between sRGB, luma, YCbCr and the roots that CIE Lab is made of, for batches (M, 3, H, W)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from shamisa_cli.core.distortions.operator import on_device_of

# IEC 61966-2-1 (sRGB, D65) and ITU-R BT.601.
RGB_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
D65_WHITE = (0.95047, 1.0, 1.08883)
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
YCBCR_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))

_SRGB_KNEE, _LINEAR_KNEE = 0.04045, 0.0031308
_ROOT_KNEE = 6 / 29
_ROOT_SLOPE, _ROOT_OFFSET = (29 / 6) ** 2 / 3, 4 / 29

Matrix = Sequence[Sequence[float]]


def mix_channels(pictures: Tensor, matrix: Matrix | Tensor) -> Tensor:
    """Apply a 3×3 matrix to the channels of (M, 3, H, W)."""
    weights = on_device_of(pictures, torch.as_tensor(matrix, dtype=torch.float64))
    return torch.matmul(weights, pictures.flatten(2)).view_as(pictures)


def luma(pictures: Tensor) -> Tensor:
    """BT.601 luma of sRGB values: (M, 3, H, W) → (M, 1, H, W)."""
    red, green, blue = (weight * pictures[:, i : i + 1] for i, weight in enumerate(LUMA_WEIGHTS))
    return red + green + blue


def rgb_to_roots(pictures: Tensor) -> Tensor:
    """sRGB in 0…1 to the compressed tristimulus values x, y, z of CIE 1976.

    Lab is linear in them (L = 116·y − 16, a = 500·(x − y), b = 200·(y − z)), so an operator on Lab's chroma
    can change x − y and z − y instead, without a further conversion.
    """
    linear = _joined(
        pictures,
        _SRGB_KNEE,
        lambda value: value.div_(12.92),
        lambda value: _power(value.add_(0.055).div_(1.055), 2.4),
    )
    white = torch.tensor(D65_WHITE, dtype=torch.float64)
    return _joined(
        mix_channels(linear, torch.tensor(RGB_TO_XYZ, dtype=torch.float64) / white[:, None]),
        _ROOT_KNEE**3,
        lambda value: value.mul_(_ROOT_SLOPE).add_(_ROOT_OFFSET),
        lambda value: _power(value, 1 / 3),
    )


def roots_to_rgb(roots: Tensor) -> Tensor:
    """The inverse of `rgb_to_roots`, clipped to 0…1."""
    xyz = _joined(
        roots,
        _ROOT_KNEE,
        lambda value: value.sub_(_ROOT_OFFSET).div_(_ROOT_SLOPE),
        lambda value: value.pow_(3),
    )
    inverse = torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64))
    return _joined(
        mix_channels(xyz, inverse * torch.tensor(D65_WHITE, dtype=torch.float64)).clamp_(0, 1),
        _LINEAR_KNEE,
        lambda value: value.mul_(12.92),
        lambda value: _power(value, 1 / 2.4).mul_(1.055).sub_(0.055),
    )


def _joined(
    values: Tensor, knee: float, below: Callable[[Tensor], Tensor], above: Callable[[Tensor], Tensor]
) -> Tensor:
    """Evaluate a continuous curve of two pieces, given as functions that may change their argument.

    Adds the lower piece, clamped above at the knee, and the upper piece, clamped below there, and subtracts the
    value at the knee: on a CPU an order of magnitude faster than selecting by a mask.
    """
    at_knee = float(above(torch.tensor([knee], dtype=torch.float64)))
    return below(values.clamp(max=knee)).add_(above(values.clamp(min=knee))).sub_(at_knee)


def _power(values: Tensor, exponent: float) -> Tensor:
    """`values`, above 0, to the power of `exponent`, in place; several times faster than `pow`."""
    return values.log2_().mul_(exponent).exp2_()
