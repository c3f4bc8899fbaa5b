"""Whether a picture is like those that a probe was fitted on.

Every layer's features of a picture lie somewhat above or below their means over the pictures fitted on. The distance of
these mean deviations, a number for each block of features, from what is usual among those pictures tells pages of text,
charts or noise from photographs, though it has never seen any (Mahalanobis distance; its limit is conformal). What is
usual in colour is not in black and white, so the same pictures without their colours are a kind of their own.
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
GREY_FLAGGED, GREY_FOLDS = 0.02, 10
"""The same of pictures in black and white, which are fewer: so in more parts, each judged by the others."""
BOUND = 5.0
"""Standardised features are bounded here, so that one odd feature does not decide."""
ROWS_PER_BLOCK = 10
"""At least this many pictures for each block of features are needed to tell what is usual."""
CHUNK = 500

Widths = NDArray[np.int64]


@dataclass(frozen=True)
class Usual:
    """Usual deviations of one kind of pictures.

    Attributes:
        mean: (b,) mean deviation of each block's standardised features.
        whitening: (b, b) matrix that makes the deviations of these pictures uncorrelated, with variance 1.
        limit: distances beyond it are unfamiliar.

    Raises ModelError when these are inconsistent.
    """

    mean: Vector
    whitening: Matrix
    limit: float

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.whitening.shape != 2 * self.mean.shape:
            raise ModelError("The check of familiarity is damaged: its parts differ in length.")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.whitening).all() and 0 < self.limit < math.inf):
            raise ModelError("The check of familiarity is damaged: it has values that are not usable numbers.")

    def distances(self, deviations: Matrix) -> Vector:
        """Distances (n,) of mean deviations (n, b) from the usual ones; about √b for pictures of this kind."""
        distances: Vector = np.sqrt(np.square((deviations - self.mean) @ self.whitening).sum(axis=1))
        return distances

    def holds(self, deviations: Matrix) -> NDArray[np.bool_]:
        """Which mean deviations (n, b) are within the limit, (n,)."""
        within: NDArray[np.bool_] = self.distances(deviations) <= self.limit
        return within


@dataclass(frozen=True)
class Familiarity:
    """Usual deviations of the pictures that a probe was fitted on.

    Attributes:
        widths: (b,) number of features of each block, in order.
        usual: of these pictures.
        grey: of the same kind of pictures in black and white; None if it was not measured.

    Raises ModelError when these are inconsistent.
    """

    widths: Widths
    usual: Usual
    grey: Usual | None = None

    def __post_init__(self) -> None:
        blocks = len(self.widths)
        if self.widths.ndim != 1 or not blocks or (self.widths < 1).any():
            raise ModelError("The check of familiarity is damaged: its blocks must have one or more features each.")
        if any(len(kind.mean) != blocks for kind in self.kinds):
            raise ModelError("The check of familiarity is damaged: its parts differ in length.")

    @property
    def kinds(self) -> tuple[Usual, ...]:
        """The kinds of pictures that are known."""
        return (self.usual,) if self.grey is None else (self.usual, self.grey)

    def knows(self, features: AnyFeatures, mean: Vector, scale: Vector) -> bool:
        """Whether one picture's features (D,) are of a known kind; mean and scale (D,) of those fitted on are given."""
        deviations = mean_deviations(features[None, :], mean, scale, self.widths)
        return any(bool(kind.holds(deviations)[0]) for kind in self.kinds)


def mean_deviations(features: AnyFeatures, mean: Vector, scale: Vector, widths: Widths) -> Matrix:
    """Means (n, b) over each block of features (n, D), which are standardised and bounded first."""
    starts = np.cumsum(widths) - widths
    parts = [
        np.add.reduceat(standardised(features[start : start + CHUNK], mean, scale, BOUND), starts, axis=1)
        for start in range(0, len(features), CHUNK)
    ]
    deviations: Matrix = np.concatenate(parts) / widths
    return deviations


def fit_familiarity(
    features: AnyFeatures,
    mean: Vector,
    scale: Vector,
    *,
    grey: AnyFeatures | None = None,
    flagged: float = FLAGGED,
    seed: int = 0,
) -> Familiarity | None:
    """Learn what is usual from features (n, D); None where n is too small.

    Args:
        features: of the pictures a probe was fitted on.
        mean, scale: (D,), by which the probe standardises them.
        grey: features (m, D) of such pictures in black and white; not used where m is too small.
        flagged: share of such pictures that may lie beyond the limit, 0…1; of those in black and white `GREY_FLAGGED`.
        seed: see `fit_usual`.
    """
    widths = np.array(block_widths(features), dtype=np.int64)
    if not enough(len(features), len(widths), flagged):
        return None
    usual = fit_usual(mean_deviations(features, mean, scale, widths), flagged, seed=seed)
    if grey is None or not enough(len(grey), len(widths), GREY_FLAGGED):
        return Familiarity(widths, usual)
    in_grey = fit_usual(mean_deviations(grey, mean, scale, widths), GREY_FLAGGED, folds=GREY_FOLDS, seed=seed)
    return Familiarity(widths, usual, in_grey)


def enough(count: int, blocks: int, flagged: float = FLAGGED) -> bool:
    """Whether so many pictures tell what is usual in so many blocks of features, with a share beyond the limit."""
    return count >= ROWS_PER_BLOCK * blocks and count * flagged >= 2


def fit_usual(deviations: Matrix, flagged: float, *, folds: int = 2, seed: int = 0) -> Usual:
    """Learn one kind from mean deviations (n, b).

    The limit is the quantile of distances from what is usual in the other parts of the pictures.

    Args:
        deviations: of pictures of this kind.
        flagged: share of them that may lie beyond the limit, 0…1.
        folds: parts, at least 2.
        seed: of the parts.
    """
    count = len(deviations)
    distances = np.empty(count)
    for part in np.array_split(np.random.default_rng(seed).permutation(count), folds):
        others = np.delete(deviations, part, axis=0)
        distances[part] = _usual(others).distances(deviations[part])
    rank = min(count, math.ceil((count + 1) * (1 - flagged)))
    return _usual(deviations, limit=float(np.sort(distances)[rank - 1]))


def _usual(deviations: Matrix, limit: float = 1.0) -> Usual:
    covariance = np.atleast_2d(np.cov(deviations.T))
    blocks = len(covariance)
    least = 1e-6 * np.trace(covariance) / blocks + np.finfo(np.float64).tiny
    whitening = np.linalg.inv(np.linalg.cholesky(covariance + least * np.eye(blocks))).T
    return Usual(deviations.mean(axis=0), whitening, limit)
