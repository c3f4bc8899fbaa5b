"""Prediction intervals by split conformal prediction: how far held-out human scores lie from their predictions.

Residuals are divided by their usual size at that prediction, since people agree more on very good and very bad
images than on those between (normalised residuals: Lei et al., JASA 2018, section 5.2). The two tails have
separate quantiles. Where rating sessions agree to different degrees, images like each of them have an interval of their
own, chosen so that it holds for each session's images, also for those that look like another session's
(group-conditional coverage).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Vector
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.same_pictures import numbered

LEVEL = 0.9
KNOTS = 6
ROWS_PER_KNOT = 50
"""The spread is measured in up to six equally filled ranges of predictions, with at least this many rows each."""

ROUNDS = 30
HIGHEST_LEVEL = 0.99
"""Levels of sessions' own intervals are raised at most so far, in so many rounds."""


@dataclass(frozen=True)
class Interval:
    """Prediction interval of human scores around a predicted position.

    Attributes:
        level: share of human scores that should fall inside, between 0 and 1.
        at: (k,) predicted positions, rising.
        spread: (k,) usual size of residuals there, above 0; interpolated linearly, constant beyond.
        below, above: extent of the interval down and up, as a multiple of the spread, 0 or more.

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
        if not ((np.diff(self.at) > 0).all() and (self.spread > 0).all() and min(self.below, self.above) >= 0):
            raise ModelError(
                "The interval is damaged: its predictions must rise, its spread be above 0 and its ends around them."
            )

    def around(self, positions: Vector, factor: float = 1.0) -> tuple[Vector, Vector]:
        """The lower and upper ends for predicted positions of any shape, `factor` times as far away as usual."""
        spread = factor * np.interp(positions, self.at, self.spread)
        return positions - self.below * spread, positions + self.above * spread


@dataclass(frozen=True)
class HeldOut:
    """Predictions for rows of a table by a fit that had not seen them.

    Attributes:
        rows: (m,) their numbers in the table.
        position: (m,) predicted positions.
        likely: (m,) number of the rating session that each image is most like; 0 without sessions.
    """

    rows: NDArray[np.int64]
    position: Vector
    likely: NDArray[np.int64]

    def part(self, chosen: NDArray[np.bool_]) -> HeldOut:
        """Some of the rows."""
        return HeldOut(self.rows[chosen], self.position[chosen], self.likely[chosen])


@dataclass(frozen=True)
class Coverage:
    """Coverage of the interval on images it was not calibrated on.

    Attributes:
        share: of human scores inside, mean over the splits.
        lowest, highest: of the splits.
        width: the mean length of an interval, in positions.
        by_session: the share inside for each rating session, by name; empty without sessions.
    """

    share: float
    lowest: float
    highest: float
    width: float
    by_session: Mapping[str, float] = field(default_factory=dict)


def least_held_out(level: float) -> int:
    """How many pictures must be held out for an interval of this level."""
    return math.ceil(round((1 + level) / (1 - level), 6))


def calibrate(
    prediction: Vector, truth: Vector, level: float = LEVEL, units: NDArray[np.int64] | None = None
) -> Interval | None:
    """Calibrate an interval on held-out predictions (n,) and the truth (n,), both positions; None if of too few.

    The tails are the (n/m)(m+1)(1+level)/2-th smallest, rounded up, of the n residuals of m pictures, and likewise from
    the other end: a picture that was held out n/m times says as much of others as one that was held out once.

    Args:
        prediction, truth, level: as above.
        units: (n,) numbers of the pictures, or of groups, each of which stands for one; None: all differ.
    """
    residuals = truth - prediction
    count = len(residuals) if units is None else len(np.unique(units))
    if count < least_held_out(level):
        return None
    rank = min(len(residuals), math.ceil((count + 1) * (1 + level) / 2 * (len(residuals) / count)))
    at, spread = _usual_distance(prediction, np.abs(residuals))
    ordered = np.sort(residuals / np.interp(prediction, at, spread))
    return Interval(level, at, spread, below=max(0.0, float(-ordered[-rank])), above=max(0.0, float(ordered[rank - 1])))


def calibrate_sessions(
    held_out: HeldOut,
    truth: Vector,
    sessions: NDArray[np.int64],
    level: float = LEVEL,
    units: NDArray[np.int64] | None = None,
) -> tuple[Interval, ...]:
    """Calibrate an interval for images like each of K sessions; empty where a session has too few images.

    Each is calibrated on the session's own images that look like it. Its level is raised until the intervals hold
    `level` of that session's scores, those of images that look like another session's included.

    Args:
        held_out: m predictions.
        truth, sessions: (n,) positions of the human scores, and numbers 0…K−1 of their sessions, of the whole table.
        level: of the scores of each session to hold.
        units: (n,) numbers of the rows' pictures, or of groups, each of which stands for one; None: all differ.
    """
    own, target = sessions[held_out.rows], truth[held_out.rows]
    shown = held_out.rows if units is None else units[held_out.rows]
    count = int(sessions.max()) + 1
    levels = np.full(count, level)
    found: tuple[Interval, ...] = ()
    for _ in range(ROUNDS):
        cells = [
            calibrate(held_out.position[cell], target[cell], float(levels[number]), shown[cell])
            for number, cell in enumerate((own == number) & (held_out.likely == number) for number in range(count))
        ]
        found = tuple(cell for cell in cells if cell is not None)
        if len(found) < count:
            return ()
        inside = _inside(found, held_out, target)[0]
        missing = np.array([level - inside[own == number].mean() for number in range(count)])
        if (np.abs(missing) < 1 / len(own)).all():
            break
        levels = np.clip(levels + missing / 2, 0.5, HIGHEST_LEVEL)
    return tuple(replace(cell, level=level) for cell in found)


def measure_coverage(
    splits: Sequence[HeldOut],
    truth: Vector,
    *,
    groups: Sequence[str] | None = None,
    sessions: Sequence[str] | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Coverage | None:
    """Calibrate on a random half of each split's held-out rows, count on the other half, and the other way round.

    Args:
        splits: predictions of each.
        truth: (n,) positions of the human scores.
        groups: (n,) names; rows of one group stay in one half, and are calibrated on as one picture is.
        sessions: (n,) names of rating sessions; they get intervals of their own.
        level: of the interval.
        seed: of the halves.

    Returns None when a half is too small for the level.
    """
    members = numbered(groups, len(truth))
    names, numbers = np.unique(np.asarray(sessions or ["all"] * len(truth)), return_inverse=True)
    generator = np.random.default_rng(seed)
    counted: list[tuple[NDArray[np.int64], NDArray[np.bool_], Vector]] = []
    for split in splits:
        units = generator.permutation(np.unique(members[split.rows]))
        first = np.isin(members[split.rows], units[: len(units) // 2])
        for half in (first, ~first):
            calibrated = _calibrated(split.part(half), truth, numbers if sessions else None, members, level)
            if not calibrated:
                return None
            other = split.part(~half)
            counted.append((other.rows, *_inside(calibrated, other, truth[other.rows])))
    by_split = np.array([inside.mean() for _, inside, _ in counted]).reshape(-1, 2).mean(axis=1)
    rows = numbers[np.concatenate([rows for rows, _, _ in counted])]
    inside = np.concatenate([inside for _, inside, _ in counted])
    width = float(np.mean([widths.mean() for _, _, widths in counted]))
    own = {str(name): float(inside[rows == number].mean()) for number, name in enumerate(names)} if sessions else {}
    return Coverage(float(by_split.mean()), float(by_split.min()), float(by_split.max()), width, own)


def _calibrated(
    held_out: HeldOut,
    truth: Vector,
    sessions: NDArray[np.int64] | None,
    members: NDArray[np.int64],
    level: float,
) -> tuple[Interval, ...]:
    """An interval for each session if there are enough images, else one for all; empty with too few for that."""
    own = () if sessions is None else calibrate_sessions(held_out, truth, sessions, level, members)
    common = calibrate(held_out.position, truth[held_out.rows], level, members[held_out.rows])
    return own or (() if common is None else (common,))


def _inside(intervals: Sequence[Interval], held_out: HeldOut, target: Vector) -> tuple[NDArray[np.bool_], Vector]:
    """Whether each of the true positions (m,) is inside, and how wide its interval is; one interval is for all."""
    ends = np.array([interval.around(held_out.position) for interval in intervals])
    chosen = held_out.likely if len(intervals) > 1 else np.zeros_like(held_out.likely)
    low, high = ends[chosen, :, np.arange(len(chosen))].T
    return (low <= target) & (target <= high), high - low


def _usual_distance(prediction: Vector, distance: Vector) -> tuple[Vector, Vector]:
    count = max(1, min(KNOTS, len(prediction) // ROWS_PER_KNOT))
    parts = np.array_split(np.argsort(prediction, kind="stable"), count)
    at = np.array([np.median(prediction[part]) for part in parts])
    spread = np.array([distance[part].mean() for part in parts])
    if (np.diff(at) > 0).all() and (spread > 0).all():
        return at, spread
    return np.array([np.median(prediction)]), np.array([distance.mean() or 1.0])
