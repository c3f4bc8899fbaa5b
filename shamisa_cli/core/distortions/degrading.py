"""One operator of the engine on one image, for looking at and for trying things out."""

from __future__ import annotations

import numpy as np
import torch

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.groups import MAX_SEVERITY

ANGLE = 0.5
"""Radians; the direction of operators that have one."""


def degrade(pixels: Pixels, operator: str, severity: float, *, seed: int = 0) -> Pixels:
    """Degrade an image with one operator (SHAMISA, arXiv 2603.13669, distortion engine).

    Args:
        pixels: (H, W, 3) uint8, sRGB.
        operator: a name of `distortions.registry.OPERATORS`, such as "JPEG" or "gaussian blur".
        severity: 0…4.
        seed: of what the operator draws at random.

    Returns:
        An image of the same shape.

    Raises:
        SettingError: there is no such operator, the severity is out of range, or the array has another shape or type.
    """
    if not 0 <= severity <= MAX_SEVERITY:
        raise SettingError(f"The severity is {severity}; it goes from 0 to {MAX_SEVERITY:g}.")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise SettingError(f"The pixels are an array of {pixels.shape}; (H, W, 3) in sRGB, 0…255, are needed.")
    if pixels.dtype != np.uint8:
        raise SettingError(
            f"The pixels are an array of {pixels.dtype}; uint8 is needed. Floats of 0…1: np.rint(255 * pixels).astype("
            "np.uint8)."
        )
    image = torch.from_numpy(np.array(pixels, order="C")).permute(2, 0, 1)[None].float() / 255
    degraded = apply_operator(image, operator, severity, torch.Generator().manual_seed(seed), angle=ANGLE)
    levels: Pixels = (degraded[0] * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    return levels
