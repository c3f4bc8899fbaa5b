"""Group maximum differentiation (gMAD): image pairs on which two models disagree most, found without human scores.

Among images that one model, the defender, scores equally, the other, the attacker, picks the two whose scores differ
most. Looking at such a pair shows which of the two models is wrong (Ma, Wu, Wang, Duanmu, Yong, Li, Zhang,
"Group MAD competition: a new methodology to compare objective image quality models", CVPR 2016).

Models have different scales, so scores are replaced by normalised ranks, called places: 0 is the worst image, 1 the
best. Places do not depend on how a model spaces its scores; standardised scores would, and a few outliers
would decide which scores count as equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shamisa_cli.core.arrays import Vector
from shamisa_cli.core.errors import SettingError

Contestant = Literal["a", "b"]

LEVELS = 3
"""Default number of levels: low, middle and high."""
TOLERANCE = 0.01
"""Largest difference of places that counts as equal for the defender; neighbours always count as equal."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class GmadPair:
    """Two images that the defender scores equally and the attacker does not.

    Attributes:
        defender: the model that scores them equally; the other one attacks.
        level: level of quality according to the defender, from 0, the lowest.
        better, worse: row numbers, in the attacker's order.
        gap: difference of their places in the attacker's order, above 0 and at most 1.
    """

    defender: Contestant
    level: int
    better: int
    worse: int
    gap: float

    @property
    def attacker(self) -> Contestant:
        """The model that scores them differently."""
        return "b" if self.defender == "a" else "a"


def places(scores: Vector) -> Vector:
    """Normalised ranks of scores (n,), higher better: 0 the lowest, 1 the highest; equal scores share a place."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(scores) - 1) / max(1, len(scores) - 1), dtype=np.float64)


def gmad_pairs(a: Vector, b: Vector, *, levels: int = LEVELS, tolerance: float = TOLERANCE) -> tuple[GmadPair, ...]:
    """Find one pair per level with each model as the defender, a first, each from the highest level down.

    Args:
        a, b: scores (n,) of the same pictures by two models, higher better, each on its own scale.
        levels: number of equal parts of the defender's order; both images of a pair are in the same part.
        tolerance: largest difference of places, 0…1, that counts as equal for the defender.

    Returns:
        At most 2 · `levels` pairs; none for a level in which the attacker scores equally whatever the defender does.
        Of several pairs with the same gap, the one that is closest for the defender.

    Raises:
        SettingError: fewer than two images per level, or fewer than one level.
        ValueError: scores that differ in number or are not finite.
    """
    if a.ndim != 1 or a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError(f"Scores {a.shape} and {b.shape} must be finite vectors of one length.")
    if levels < 1 or len(a) < 2 * levels:
        raise SettingError(
            f"{len(a)} pictures are too few for {levels} levels of quality; each needs at least two. "
            "Name more pictures, or fewer levels."
        )
    order_a, order_b = places(a), places(b)
    return (
        *_pairs(order_a, order_b, "a", levels, tolerance),
        *_pairs(order_b, order_a, "b", levels, tolerance),
    )


def _pairs(defending: Vector, attacking: Vector, defender: Contestant, levels: int, tolerance: float) -> list[GmadPair]:
    """The widest pair of each level, from the highest down."""
    reach = max(tolerance, 1 / (len(defending) - 1)) + _ROUNDING
    rows = np.argsort(defending, kind="stable")
    place, attack = defending[rows], attacking[rows]
    level = np.minimum((place * levels + _ROUNDING).astype(np.int64), levels - 1)
    best: dict[int, GmadPair] = {}
    # All pairs at one distance in the defender's order at a time; nearer ones come first and win ties.
    for apart in range(1, len(rows)):
        equal = (place[apart:] - place[:-apart] <= reach) & (level[apart:] == level[:-apart])
        if not equal.any():
            break
        gaps = attack[apart:] - attack[:-apart]
        for number in np.unique(level[:-apart][equal]):
            sizes = np.where(equal & (level[:-apart] == number), np.abs(gaps), -1.0)
            first = int(np.argmax(sizes))
            known = best.get(int(number))
            if sizes[first] <= (known.gap if known else 0.0) + _ROUNDING:
                continue
            pair = (int(rows[first]), int(rows[first + apart]))
            worse, better = pair if gaps[first] > 0 else pair[::-1]
            best[int(number)] = GmadPair(defender, int(number), better, worse, float(sizes[first]))
    return [best[number] for number in sorted(best, reverse=True)]
