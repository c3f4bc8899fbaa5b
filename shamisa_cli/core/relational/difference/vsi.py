"""VSI: L. Zhang, Y. Shen, H. Li, VSI: a visual saliency-induced index for perceptual image quality assessment, IEEE
Transactions on Image Processing 23(10), 2014."""

from __future__ import annotations

import numpy as np

from shamisa_cli.core.relational.difference.measurement import Measurement
from shamisa_cli.core.relational.difference.planes import (
    SCHARR,
    Image,
    Plane,
    apart,
    checked_pair,
    factor_of,
    gradient,
    mixed,
    reduced,
)
from shamisa_cli.core.relational.difference.saliency import resampling, saliency

C1, C2, C3 = 1.27, 386.0, 130.0
"""Constants of the similarity of saliency, gradient and colour."""
GRADIENT_POWER, COLOUR_POWER = 0.40, 0.020
"""α and β."""
LMN = np.array([[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.6, 0.17]])
"""RGB → lightness and two opponent colours."""


def vsi(a: Image, b: Image, factor: int | None = None) -> Measurement:
    """1 − VSI of two images, RGB (H, W, 3) of one size; the same when they are swapped.

    The similarity of saliency, gradients and colours, weighted by the saliency, of images reduced by a factor. The
    local map has that size.

    Args:
        a, b: the images, uint8 or float32 in 0…1.
        factor: 1 or more; None: the paper's, to a short side of about 256 pixels.

    Raises SettingError for arrays that are not images of one size.
    """
    a, b = checked_pair(a, b)
    factor = factor or factor_of(*a.shape[:2])
    (light_a, m_a, n_a), (light_b, m_b, n_b) = (mixed(reduced(image, factor), LMN) for image in (a, b))
    seen_a, seen_b = (_reduced_saliency(image, factor) for image in (a, b))
    alike = 1 - apart(seen_a, seen_b, C1)
    alike *= (1 - apart(gradient(light_a, SCHARR), gradient(light_b, SCHARR), C2)) ** np.float32(GRADIENT_POWER)
    alike *= _powered_colour((1 - apart(m_a, m_b, C3)) * (1 - apart(n_a, n_b, C3)))
    weight = np.maximum(seen_a, seen_b)
    total = float(weight.sum(dtype=np.float64))
    changed = 1 - alike
    if total == 0:
        return Measurement(float(changed.mean(dtype=np.float64)), alike)
    return Measurement(float((changed * weight).sum(dtype=np.float64)) / total, alike)


def _powered_colour(alike: Plane) -> Plane:
    """The real part of the power β, where opposite colours make the similarity negative."""
    power = np.abs(alike) ** np.float32(COLOUR_POWER)
    power[alike < 0] *= np.float32(np.cos(np.pi * COLOUR_POWER))
    return np.asarray(power)


def _reduced_saliency(image: Image, factor: int) -> Plane:
    """The saliency map on the grid of the reduced image."""
    seen = saliency(image)
    rows, columns = (_reduced_resampling(len(seen), side, factor) for side in image.shape[:2])
    return np.asarray(rows @ seen @ columns.T)


def _reduced_resampling(size: int, side: int, factor: int) -> Plane:
    """Interpolation from `size` samples to `side` pixels and the means of `factor` of these, as one matrix."""
    matrix = resampling(size, side)
    whole = np.pad(matrix, ((0, -side % factor), (0, 0)), mode="edge")
    return np.asarray(whole.reshape(-1, factor, size).mean(axis=1, dtype=np.float32))
