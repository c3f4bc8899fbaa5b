"""Group maximum differentiation: the pictures by which two models are most unlike, found without human scores.

One model defends: the pictures that it calls equally good. The other attacks: of those, the two that it tells apart
most. Whoever looks at such a pair sees at once which of the two is wrong (Ma, Wu, Wang, Duanmu, Yong, Li, Zhang,
"Group MAD competition: a new methodology to compare objective image quality models", CVPR 2016).

Models have scales of their own, so all of it is done on places in an order: 0 is the worst of the pictures, 1 the
best. Places do not depend on how either model spaces its scores; standardised scores would, and a few pictures far
out would decide what counts as equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.errors import SettingError

Vector = NDArray[np.float64]
Contestant = Literal["a", "b"]

LEVELS = 3
"""Low, middle and high."""
TOLERANCE = 0.01
"""Share of the pictures that may lie between two that the defender calls equal; neighbours always are."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class GmadPair:
    """Two pictures that the defender calls equal and the attacker does not.

    Attributes:
        defender: the model that calls them equal; the other one attacks.
        level: of their quality as the defender sees it, from 0, the lowest.
        better, worse: row numbers, as the attacker sees them.
        gap: how many places apart the attacker has them, above 0 and at most 1 (all the pictures).
    """

    defender: Contestant
    level: int
    better: int
    worse: int
    gap: float

    @property
    def attacker(self) -> Contestant:
        """The model that tells them apart."""
        return "b" if self.defender == "a" else "a"


def places(scores: Vector) -> Vector:
    """Scores (n,), higher better, as places in their order: 0 the lowest, 1 the highest; equal scores share one."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(scores) - 1) / max(1, len(scores) - 1), dtype=np.float64)


def gmad_pairs(a: Vector, b: Vector, *, levels: int = LEVELS, tolerance: float = TOLERANCE) -> tuple[GmadPair, ...]:
    """The pair of each level with each model as the defender, a first, each from the highest level down.

    Args:
        a, b: scores (n,) of the same pictures by two models, higher better, each on its own scale.
        levels: into so many equal parts the defender's order is cut; both pictures of a pair are of one part.
        tolerance: how many places apart, as a share of all, the defender may have what counts as equal.

    Returns:
        At most 2 · `levels` pairs; none for a level in which the attacker calls all equals of the defender equal too.
        Of several pairs with the same gap, the one that the defender has closest together.

    Raises:
        SettingError: fewer than two pictures a level, or fewer than one level.
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
    # Pairs that are so many pictures apart in the defender's order, all at once; nearer ones come first and stay.
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
