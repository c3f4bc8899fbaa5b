"""From features to the rows that a linear map is fitted to: standardised, bounded, and balanced between blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector

CLIP = 2.0
"""Standardised features are clipped to ±CLIP: what lies further out than the fitted images must not be extrapolated."""

LEAST_SPREAD = 0.5
"""Least scale of a feature, as a share of the median. Channels that are rarely active have a tiny spread; divided by
it, a single image that activates one would be thousands of deviations away from all others, and its score too."""

_ROUNDING = float(np.finfo(np.float32).eps)
"""Features are float32: a spread below this share of their mean is rounding error; they then count as constant."""

_UNIT = 1e-3
"""How far sums of squares may be from whole numbers at the end of a block."""
LEAST_SCALE = 1e-30
"""Least number of a model that others are divided by."""


@dataclass(frozen=True)
class Scaling:
    """Centre, scale and bound of each of D features, and its weight in a penalised fit.

    Attributes:
        mean, scale: (D,), of the images fitted on; the scale is 1 for constant features.
        clip: bound of standardised features on both sides; None for no bound.
        balance: (D,) factors of standardised features in a fit, by which the penalty spares small blocks.
    """

    mean: Vector
    scale: Vector
    clip: float | None
    balance: Vector

    @classmethod
    def standard(cls, features: AnyFeatures) -> Scaling:
        """Standardise by features (n, D), clip, and balance their blocks.

        A column's scale is its standard deviation, or `LEAST_SPREAD` of the median column's where that is more, or 1
        where it is constant.
        """
        mean = features.mean(axis=0, dtype=np.float64)
        scale = features.std(axis=0, dtype=np.float64)
        constant = scale <= _ROUNDING * np.abs(mean)
        if not constant.all():
            scale = np.maximum(scale, LEAST_SPREAD * np.median(scale[~constant]))
        scale[constant] = 1.0
        return cls(mean, scale, CLIP, block_balance(features))

    @classmethod
    def centring(cls, features: AnyFeatures) -> Scaling:
        """Subtract the mean of features (n, D), and nothing else."""
        mean = features.mean(axis=0, dtype=np.float64)
        return cls(mean, np.ones_like(mean), None, np.ones_like(mean))

    def rows(self, features: AnyFeatures) -> Matrix:
        """Rows (n, D) float64 of features (n, D) for a fit."""
        rows = standardised(features, self.mean, self.scale, self.clip)
        rows *= self.balance
        return rows


def standardised(features: AnyFeatures, mean: Vector, scale: Vector, clip: float | None) -> Matrix:
    """Features (…, D) less their mean, over their scale, and bounded; float64."""
    rows: Matrix = (features - mean) / scale
    return rows if clip is None else np.clip(rows, -clip, clip, out=rows)


def block_balance(features: AnyFeatures) -> Vector:
    """Factors (D,) proportional to d^(−1/4) in a block of d columns; their mean square is 1.

    The kernel then weighs a block by √d: between all columns alike, where wide layers rule, and all blocks alike.
    Blocks are found by their unit norm, which `FeatureSpec` promises; other features are one block.
    """
    widths = block_widths(features)
    balance = np.concatenate([np.full(width, width**-0.25) for width in widths])
    factors: Vector = balance / np.sqrt(np.mean(balance**2))
    return factors


def block_widths(features: AnyFeatures) -> tuple[int, ...]:
    """Widths of the blocks of unit norm that rows (n, D) consist of, in order; (D,) where they do not."""
    length = features.shape[1]
    sums = np.cumsum(np.square(features[: min(len(features), 64)], dtype=np.float64), axis=1)
    count = round(float(sums[0, -1]))
    if not 1 <= count <= length:
        return (length,)
    ends = _last_columns_of_whole_sums(sums)
    if [*ends] != [*range(1, count + 1)] or ends[count] != length:
        return (length,)
    return tuple(int(width) for width in np.diff([0, *ends.values()]))


def _last_columns_of_whole_sums(sums: Matrix) -> dict[int, int]:
    """For each whole number of 1 or more, in order, the last column, counted from 1, after which it is every row's sum.

    Only columns where the first row's sum is whole are looked at in the other rows.
    """
    numbers = np.rint(sums[0])
    near = np.flatnonzero((np.abs(sums[0] - numbers) < _UNIT) & (numbers >= 1))
    whole = near[(np.abs(sums[:, near] - numbers[near]) < _UNIT).all(axis=0)]
    return {int(numbers[column]): int(column) + 1 for column in whole}
