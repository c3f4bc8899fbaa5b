"""Prediction intervals by split conformal prediction: how far held-out human scores lie from their predictions.

Residuals are divided by their usual size at that prediction, since people agree more on very good and very bad
images than on those between (normalised residuals: Lei et al., JASA 2018, section 5.2). The two tails have
separate quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Vector
from shamisa_cli.core.errors import ModelError

LEVEL = 0.9
KNOTS = 6
ROWS_PER_KNOT = 50
"""The spread is measured in up to six equally filled ranges of predictions, with at least this many rows each."""


@dataclass(frozen=True)
class Interval:
    """Prediction interval of human scores around a predicted position.

    Attributes:
        level: share of human scores that should fall inside, between 0 and 1.
        at: (k,) predicted positions, rising.
        spread: (k,) usual size of residuals there, above 0; interpolated linearly, constant beyond.
        below, above: extent of the interval down and up, as a multiple of the spread.

    Raises ModelError when these are inconsistent.
    """

    level: float
    at: Vector
    spread: Vector
    below: float
    above: float

    def __post_init__(self) -> None:
        if self.at.ndim != 1 or not self.at.size or self.at.shape != self.spread.shape:
            raise ModelError("The interval is damaged: it needs a spread for each of one or more predictions.")
        numbers = (self.level, self.at, self.spread, self.below, self.above)
        if not all(np.isfinite(values).all() for values in numbers) or not 0 < self.level < 1:
            raise ModelError("The interval is damaged: it has values that are not usable numbers.")
        if not ((np.diff(self.at) > 0).all() and (self.spread > 0).all() and self.below + self.above >= 0):
            raise ModelError("The interval is damaged: its predictions must rise and its spread be above 0.")

    def around(self, positions: Vector) -> tuple[Vector, Vector]:
        """The lower and upper ends for predicted positions of any shape."""
        spread = np.interp(positions, self.at, self.spread)
        return positions - self.below * spread, positions + self.above * spread


@dataclass(frozen=True)
class Coverage:
    """Coverage of the interval on images it was not calibrated on.

    Attributes:
        share: of human scores inside, mean over the splits.
        lowest, highest: of the splits.
        width: the mean length of an interval, in positions.
    """

    share: float
    lowest: float
    highest: float
    width: float


def calibrate(prediction: Vector, truth: Vector, level: float = LEVEL) -> Interval | None:
    """Calibrate an interval on held-out predictions (n,) and the truth (n,), both positions; None if n is too small.

    The tails are the ⌈(n+1)(1+level)/2⌉-th smallest of the n residuals, and likewise from the other end.
    """
    residuals = truth - prediction
    rank = math.ceil((len(residuals) + 1) * (1 + level) / 2)
    if rank > len(residuals):
        return None
    at, spread = _usual_distance(prediction, np.abs(residuals))
    ordered = np.sort(residuals / np.interp(prediction, at, spread))
    return Interval(level, at, spread, below=float(-ordered[-rank]), above=float(ordered[rank - 1]))


def measure_coverage(
    splits: Sequence[tuple[NDArray[np.int64], Vector]],
    truth: Vector,
    *,
    groups: Sequence[str] | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Coverage | None:
    """Calibrate on a random half of each split's held-out rows, count on the other half, and the other way round.

    Args:
        splits: rows (m,) of the table and their predictions (m,) by a fit that had not seen them.
        truth: (n,) positions of the human scores.
        groups: (n,) names; rows of one group stay in one half.
        level: of the interval.
        seed: of the halves.

    Returns None when a half is too small for the level.
    """
    members = np.arange(len(truth)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    generator = np.random.default_rng(seed)
    shares: list[float] = []
    widths: list[float] = []
    for rows, prediction in splits:
        units = generator.permutation(np.unique(members[rows]))
        first = np.isin(members[rows], units[: len(units) // 2])
        for half in (first, ~first):
            interval = calibrate(prediction[half], truth[rows[half]], level)
            if interval is None:
                return None
            low, high = interval.around(prediction[~half])
            held_out = truth[rows[~half]]
            shares.append(float(np.mean((low <= held_out) & (held_out <= high))))
            widths.append(float(np.mean(high - low)))
    by_split = np.array(shares).reshape(-1, 2).mean(axis=1)
    return Coverage(float(by_split.mean()), float(by_split.min()), float(by_split.max()), float(np.mean(widths)))


def _usual_distance(prediction: Vector, distance: Vector) -> tuple[Vector, Vector]:
    count = max(1, min(KNOTS, len(prediction) // ROWS_PER_KNOT))
    parts = np.array_split(np.argsort(prediction, kind="stable"), count)
    at = np.array([np.median(prediction[part]) for part in parts])
    spread = np.array([distance[part].mean() for part in parts])
    if (np.diff(at) > 0).all() and (spread > 0).all():
        return at, spread
    return np.array([np.median(prediction)]), np.array([distance.mean() or 1.0])
