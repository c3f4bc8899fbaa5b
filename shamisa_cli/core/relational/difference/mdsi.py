"""MDSI: H. Ziaei Nafchi, A. Shahkolaei, R. Hedjam, M. Cheriet, Mean deviation similarity index: efficient and reliable
full-reference image quality evaluator, IEEE Access 4, 2016."""

from __future__ import annotations

import numpy as np

from shamisa_cli.core.relational.difference.measurement import Measurement
from shamisa_cli.core.relational.difference.planes import (
    PREWITT,
    Image,
    Plane,
    apart,
    checked_pair,
    factor_of,
    gradient,
    mixed,
    reduced,
)

C1, C2, C3 = 140.0, 55.0, 550.0
"""Constants of the similarity of gradients, of gradients with the fused image's, and of colours."""
GRADIENT_SHARE = 0.6
"""α: the rest is the similarity of colours."""
POWER = 0.25
"""q and o of the pooling."""
LHM = np.array([[0.2989, 0.5870, 0.1140], [0.30, 0.04, -0.35], [0.34, -0.6, 0.17]])
"""RGB → luminance and two opponent colours."""


def mdsi(a: Image, b: Image, factor: int | None = None) -> Measurement:
    """MDSI of two images, RGB (H, W, 3) of one size: the mean of MDSI(a, b) and MDSI(b, a), so symmetric.

    The deviation of the similarity of gradients and colours of images reduced by a factor. The local map, the mean of
    both directions, has that size.

    Args:
        a, b: the images, uint8 or float32 in 0…1.
        factor: 1 or more; None: the paper's, to a short side of about 256 pixels.

    Raises SettingError for arrays that are not images of one size.
    """
    a, b = checked_pair(a, b)
    factor = factor or factor_of(*a.shape[:2])
    (light_a, h_a, m_a), (light_b, h_b, m_b) = (mixed(reduced(image, factor), LHM) for image in (a, b))
    edge_a, edge_b = gradient(light_a, PREWITT), gradient(light_b, PREWITT)
    light_a += light_b
    light_a *= np.float32(0.5)
    edge_both = gradient(light_a, PREWITT)
    change = np.float32(GRADIENT_SHARE) * apart(edge_a, edge_b, C1)
    change += np.float32(1 - GRADIENT_SHARE) * _colours_apart(h_a, m_a, h_b, m_b)
    skew = apart(edge_b, edge_both, C2) - apart(edge_a, edge_both, C2)
    skew *= np.float32(GRADIENT_SHARE)
    distance = (_deviation(change + skew) + _deviation(change - skew)) / 2
    return Measurement(distance, np.clip(1 - change, 0, 1))


def _colours_apart(h_a: Plane, m_a: Plane, h_b: Plane, m_b: Plane) -> Plane:
    """1 − the joint similarity of both opponent colours."""
    difference = (h_a - h_b) ** 2 + (m_a - m_b) ** 2
    return np.asarray(difference / ((h_a**2 + h_b**2) + (m_a**2 + m_b**2) + np.float32(C3)))


def _deviation(change: Plane) -> float:
    """Mean deviation of (1 − change)^q around its mean, to the power o; complex where change > 1."""
    beyond = change > 1
    with np.errstate(divide="ignore"):  # a change of exactly 1 loses all
        lost = -np.expm1(np.float32(POWER) * np.log1p(-np.where(beyond, np.float32(0), change)))
    if beyond.any():
        turned = (change[beyond] - 1).astype(np.complex128) ** POWER * np.exp(1j * np.pi * POWER)
        lost = lost.astype(np.complex128)
        lost[beyond] = 1 - turned
    mean = lost.mean(dtype=np.complex128 if beyond.any() else np.float64)
    return float(np.abs(lost - mean).mean(dtype=np.float64) ** POWER)
