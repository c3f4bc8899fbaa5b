"""Whether a picture is like those that a probe was fitted on.

Every layer's features of a picture lie somewhat above or below their means over the pictures fitted on. The distance of
these mean deviations, a number for each block of features, from what is usual among those pictures tells pages of text,
charts or noise from photographs, though it has never seen any (Mahalanobis distance; its limit is conformal).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.scaling import block_widths, standardised

FLAGGED = 0.0175
"""Share of pictures like those fitted on that lie beyond the limit."""
BOUND = 5.0
"""Standardised features are bounded here, so that one odd feature does not decide."""
ROWS_PER_BLOCK = 10
"""At least this many pictures for each block of features are needed to tell what is usual."""
CHUNK = 500


@dataclass(frozen=True)
class Familiarity:
    """Usual deviations of the pictures that a probe was fitted on.

    Attributes:
        widths: (b,) number of features of each block, in order.
        mean: (b,) mean deviation of each block's standardised features.
        whitening: (b, b) matrix that makes the deviations of those pictures uncorrelated, with variance 1.
        limit: distances beyond it are unfamiliar.

    Raises ModelError when these are inconsistent.
    """

    widths: NDArray[np.int64]
    mean: Vector
    whitening: Matrix
    limit: float

    def __post_init__(self) -> None:
        blocks = len(self.widths)
        if self.widths.ndim != 1 or not blocks or (self.widths < 1).any():
            raise ModelError("The check of familiarity is damaged: its blocks must have one or more features each.")
        if self.mean.shape != (blocks,) or self.whitening.shape != (blocks, blocks):
            raise ModelError("The check of familiarity is damaged: its parts differ in length.")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.whitening).all() and 0 < self.limit < math.inf):
            raise ModelError("The check of familiarity is damaged: it has values that are not usable numbers.")

    def distances(self, deviations: Matrix) -> Vector:
        """Distances (n,) of mean deviations (n, b) from the usual ones; about √b for pictures like those fitted on."""
        distances: Vector = np.sqrt(np.square((deviations - self.mean) @ self.whitening).sum(axis=1))
        return distances

    def knows(self, features: AnyFeatures, mean: Vector, scale: Vector) -> bool:
        """Whether one picture's features (D,) are like those fitted on, whose mean and scale (D,) are given."""
        deviations = mean_deviations(features[None, :], mean, scale, self.widths)
        return bool(self.distances(deviations)[0] <= self.limit)


def mean_deviations(features: AnyFeatures, mean: Vector, scale: Vector, widths: NDArray[np.int64]) -> Matrix:
    """Means (n, b) over each block of features (n, D), which are standardised and bounded first."""
    starts = np.cumsum(widths) - widths
    parts = [
        np.add.reduceat(standardised(features[start : start + CHUNK], mean, scale, BOUND), starts, axis=1)
        for start in range(0, len(features), CHUNK)
    ]
    deviations: Matrix = np.concatenate(parts) / widths
    return deviations


def fit_familiarity(
    features: AnyFeatures, mean: Vector, scale: Vector, *, flagged: float = FLAGGED, seed: int = 0
) -> Familiarity | None:
    """Learn what is usual from features (n, D); None where n is too small.

    The limit is the quantile of distances from what is usual in the other half of the pictures.

    Args:
        features: of the pictures a probe was fitted on.
        mean, scale: (D,), by which the probe standardises them.
        flagged: share of such pictures that may lie beyond the limit, 0…1.
        seed: of the halves.
    """
    widths = np.array(block_widths(features), dtype=np.int64)
    count = len(features)
    if count < ROWS_PER_BLOCK * len(widths) or count * flagged < 2:
        return None
    deviations = mean_deviations(features, mean, scale, widths)
    halves = np.array_split(np.random.default_rng(seed).permutation(count), 2)
    distances = np.concatenate(
        [_usual(widths, deviations[fitted]).distances(deviations[other]) for fitted, other in (halves, halves[::-1])]
    )
    rank = min(count, math.ceil((count + 1) * (1 - flagged)))
    return _usual(widths, deviations, limit=float(np.sort(distances)[rank - 1]))


def _usual(widths: NDArray[np.int64], deviations: Matrix, limit: float = 1.0) -> Familiarity:
    covariance = np.atleast_2d(np.cov(deviations.T))
    least = 1e-6 * np.trace(covariance) / len(widths) + np.finfo(np.float64).tiny
    whitening = np.linalg.inv(np.linalg.cholesky(covariance + least * np.eye(len(widths)))).T
    return Familiarity(widths, deviations.mean(axis=0), whitening, limit)
