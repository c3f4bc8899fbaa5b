"""MS-GMSDc: B. Zhang, P. V. Sander, A. Bermak, Gradient magnitude similarity deviation on multiple scales for color
image quality assessment, ICASSP 2017; after W. Xue, L. Zhang, X. Mou, A. C. Bovik, Gradient magnitude similarity
deviation: a highly efficient perceptual image quality index, IEEE Transactions on Image Processing 23(2), 2014."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.relational.difference.measurement import Measurement
from shamisa_cli.core.relational.difference.planes import (
    PREWITT,
    YIQ,
    Image,
    Plane,
    blocks,
    checked_pair,
    gradient,
    halved,
    levels,
    mixed,
    reduced,
    strips,
)

T = 170.0
"""Constant of the similarity of gradients."""
MASKING = 0.5
"""α: how far a strong gradient hides a change of itself."""
SCALE_WEIGHTS = (0.096, 0.596, 0.289, 0.019)
"""Of the squared deviations, from full size down, each half the one before."""
COARSEST = 2 ** (len(SCALE_WEIGHTS) - 1)
"""By how much the last scale is reduced; colours are compared there."""
COLOUR_UNIT, COLOUR_SHARE, COLOUR_FALL = 0.01, 0.32, 15.0
"""β₁, β₂ and β₃: colours count less the less the gradients change.

How they are used was found from results of piq, with which this agrees to six digits: the paper was not at hand.
"""


def ms_gmsd(a: Image, b: Image) -> Measurement:
    """MS-GMSDc of two images, RGB (H, W, 3) of one size; the same when they are swapped.

    The deviation of the similarity of gradients of the luminance at four scales, and the root mean square change of
    colour at an eighth of the size. The local map, the mean similarity at each place, has that size.

    Raises SettingError for arrays that are not images of one size.
    """
    a, b = checked_pair(a, b)
    sums = np.zeros((len(SCALE_WEIGHTS), 3))
    structure: list[Plane] = []
    colour: list[Plane] = []
    for strip in strips(*a.shape[:2], reach=2 * COARSEST, align=COARSEST):
        rows, own = slice(strip.first, strip.last), slice(strip.start, strip.stop)
        luminances = [mixed(levels(image[rows]), YIQ[:1])[0] for image in (a, b)]
        changes = [change[strip.inner(2**scale)] for scale, change in enumerate(_changes(luminances[0], luminances[1]))]
        sums += [_sums(change) for change in changes]
        structure.append(_weighted(changes))
        colour.append(_colour_change(a[own], b[own]))
    deviation = _deviation(sums)
    squared = np.concatenate(colour)
    weight = 2 / (1 + COLOUR_SHARE * math.exp(-COLOUR_FALL * deviation)) - 1
    unit = (1 - weight) * COLOUR_UNIT
    distance = weight * deviation + unit * math.sqrt(squared.mean(dtype=np.float64))
    local = 1 - np.concatenate(structure) - np.float32(unit) * np.sqrt(squared)
    return Measurement(distance, np.clip(local, 0, 1))


def _changes(a: Plane, b: Plane) -> list[Plane]:
    """1 − the similarity of the gradients of two planes, at each scale."""
    changes = []
    for scale in range(len(SCALE_WEIGHTS)):
        if scale:
            a, b = halved(a), halved(b)
        changes.append(_gradients_apart(gradient(a, PREWITT), gradient(b, PREWITT)))
    return changes


def _gradients_apart(a: Plane, b: Plane) -> Plane:
    """1 − ((2 − α) ab + T) / (a² + b² − α ab + T), exactly 0 where a = b."""
    difference = a - b
    difference *= difference
    product = a * b
    product *= np.float32(2 - MASKING)
    product += difference
    product += np.float32(T)
    difference /= product
    return np.asarray(difference)


def _sums(change: Plane) -> tuple[float, float, float]:
    """Number of places, their sum, and the sum of their squares."""
    flat = change.ravel()
    return flat.size, float(flat.sum(dtype=np.float64)), float(np.einsum("i,i->", flat, flat, dtype=np.float64))


def _deviation(sums: npt.NDArray[np.float64]) -> float:
    """The weighted standard deviation over all scales."""
    count, total, squares = sums.T
    variances = np.maximum(squares / count - (total / count) ** 2, 0)
    return math.sqrt(float(variances @ SCALE_WEIGHTS))


def _weighted(changes: list[Plane]) -> Plane:
    """The scales' changes in one map at the size of the coarsest."""
    shape = changes[-1].shape
    total = np.zeros(shape, dtype=np.float32)
    for scale, (change, weight) in enumerate(zip(changes, SCALE_WEIGHTS, strict=True)):
        total += np.float32(weight) * blocks(change, COARSEST >> scale)
    return total


def _colour_change(a: Image, b: Image) -> Plane:
    """Squared change of I and Q at the coarsest scale."""
    (i_a, q_a), (i_b, q_b) = (mixed(reduced(image, COARSEST), YIQ[1:]) for image in (a, b))
    return np.asarray((i_a - i_b) ** 2 + (q_a - q_b) ** 2)
