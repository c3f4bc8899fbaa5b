"""Mapping between a human scale and the positions that a linear probe is fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from shamisa_cli.core.arrays import Vector
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.scaling import LEAST_SCALE

Spacing = Literal["even", "linear"]
SPACINGS: tuple[Spacing, ...] = get_args(Spacing)

BETA = (3.0, 3.0)
"""Parameters of the Beta law of positions on an even scale."""

KNOTS = 65
"""Number of points of an even scale; it is linear between them."""

ROUNDING = 1e-13
"""Scores that are nearer than this share of their size are one: means of ratings differ so by the order of the sum."""


@dataclass(frozen=True)
class MosScale:
    """A monotone, piecewise linear path between positions and human scores.

    A position runs from 0 (the worst) to 1 (the best), whichever way the human scale runs; 100 times it is the
    score. A linear probe predicts positions, so that its score is a sum over features.

    Attributes:
        positions: (K,) rising strictly, K ≥ 2; the first is 0 and the last 1.
        scores: (K,) the human scores there, rising strictly, or falling where lower is better.

    Raises ModelError when these conditions are violated.
    """

    positions: Vector
    scores: Vector

    def __post_init__(self) -> None:
        if self.positions.ndim != 1 or self.positions.shape != self.scores.shape or len(self.positions) < 2:
            raise ModelError("The probe is damaged: its scale does not have as many positions as scores.")
        if not (np.isfinite(self.positions).all() and np.isfinite(self.scores).all()):
            raise ModelError("The probe is damaged: its scale has values that are not finite numbers.")
        steps = np.diff(self.scores)
        least = LEAST_SCALE
        if not ((np.diff(self.positions) >= least).all() and ((steps >= least).all() or (steps <= -least).all())):
            raise ModelError("The probe is damaged: its scale must rise or fall throughout.")
        if self.positions[0] != 0 or self.positions[-1] != 1:
            raise ModelError("The probe is damaged: the positions of its scale must run from 0 to 1.")

    @property
    def ends(self) -> tuple[float, float]:
        """The worst and the best human score."""
        return float(self.scores[0]), float(self.scores[-1])

    @property
    def lower_is_better(self) -> bool:
        """Whether the human scale counts impairment (DMOS), not quality."""
        return bool(self.scores[0] > self.scores[-1])

    def mos(self, positions: Vector) -> Vector:
        """Human scores at positions of any shape; beyond its ends the scale is extrapolated linearly."""
        return _interpolated(np.asarray(positions, dtype=np.float64), self.positions, self.scores)

    def position(self, mos: Vector) -> Vector:
        """Positions of human scores of any shape; the inverse of `mos`."""
        direction = -1.0 if self.lower_is_better else 1.0
        return _interpolated(direction * np.asarray(mos, dtype=np.float64), direction * self.scores, self.positions)


def linear_scale(worst: float, best: float) -> MosScale:
    """Positions in proportion to human scores between the two ends of their scale."""
    return MosScale(np.array([0.0, 1.0]), np.array([worst, best], dtype=np.float64))


def even_scale(mos: Vector, worst: float, best: float) -> MosScale:
    """Scale of positions by rank, which resolves scores equally well where they are dense.

    Positions of `mos` follow a Beta(3, 3) law: the median image is at 0.5 and the density falls to 0 towards both
    ends. This lies between the uniform law of plain ranks, which spreads extreme images too little for a linear
    probe, and the normal law of normal scores, which has no ends (docs/training.md has figures).

    Args:
        mos: (n,) human scores; those that differ only by rounding count as one.
        worst, best: the ends of their scale, where positions 0 and 1 are.
    """
    from scipy.special import betaincinv

    direction = 1.0 if best > worst else -1.0
    low, high = direction * worst, direction * best
    scores, counts = np.unique(direction * without_rounding(np.asarray(mos, dtype=np.float64)), return_counts=True)
    shares = (np.cumsum(counts) - counts / 2) / counts.sum()
    if len(scores) > KNOTS:
        inner = np.linspace(shares[0], shares[-1], KNOTS - 2)
        scores, shares = np.interp(inner, shares, scores), inner
    inside = (scores - low > _rounding(scores)) & (high - scores > _rounding(scores))
    return MosScale(
        np.concatenate([[0.0], betaincinv(*BETA, shares[inside]), [1.0]]),
        direction * np.concatenate([[low], scores[inside], [high]]),
    )


def without_rounding(scores: Vector) -> Vector:
    """Scores (n,), each the lowest of those that differ from it only by rounding, as means of one sum may."""
    rising, places = np.unique(scores, return_inverse=True)
    is_first = np.append(True, np.diff(rising) > _rounding(rising)[1:])
    return np.asarray(rising[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]][places])


def _rounding(scores: Vector) -> Vector:
    """How far each score may be from one that it equals but for rounding; one near 0 may be a difference of others."""
    sizes = np.abs(scores)
    return np.asarray(ROUNDING * np.maximum(sizes, np.median(sizes)), dtype=np.float64)


def mos_scale(spacing: Spacing, mos: Vector, worst: float, best: float) -> MosScale:
    """The scale of the given kind for human scores (n,) between two ends."""
    return even_scale(mos, worst, best) if spacing == "even" else linear_scale(worst, best)


def _interpolated(x: Vector, knots: Vector, values: Vector) -> Vector:
    """Piecewise linear through (knots, values), knots rising, extrapolated with the first and last slope."""
    below = values[0] + (x - knots[0]) * (values[1] - values[0]) / (knots[1] - knots[0])
    above = values[-1] + (x - knots[-1]) * (values[-1] - values[-2]) / (knots[-1] - knots[-2])
    return np.where(x < knots[0], below, np.where(x > knots[-1], above, np.interp(x, knots, values)))
