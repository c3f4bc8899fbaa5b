"""Reasons to doubt the figures of a probe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Vector
from shamisa_cli.core.probe.metrics import REVERSED, SMALL_SPREAD, srcc
from shamisa_cli.core.probe.protocol import TEST_SHARE, ProtocolResult
from shamisa_cli.core.probe.same_pictures import join_groups, numbered, repeats

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model

FEW_TESTED = 10
"""With fewer held-out pictures in a split, a warning says that correlations of so few mean little."""
FEW_GROUPS = 5
"""The same of groups, where a table names them: rows of one group are alike, and say little of others."""
FEW_JUDGED = 30
"""With fewer pictures in all, a warning says the same of a model that is judged as it is."""
_NAMED = 5
"""Small subsets that are named in a sentence."""
KEPT_TOGETHER = "each row counts, and all rows of a picture are in the same part of a split."


def doubts(
    result: ProtocolResult,
    positions: Vector,
    paths: Sequence[Path],
    pictures: NDArray[np.int64],
    groups: Sequence[str] | None = None,
    subsets: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Sentences on rows of one picture, on predictions of nearly one number, and on parts too small for a correlation.

    Args:
        result: of the splits.
        positions: (n,) of the human scores of the table's rows.
        paths: (n,) of its pictures.
        pictures: (n,) from `same_pictures`.
        groups: (n,) names of rows that stay together, or None.
        subsets: (n,) names of subsets that are reported separately, or None.
    """
    found = list(repeats(paths, pictures, KEPT_TOGETHER))
    spread = result.held_out_spread(positions)
    if spread < SMALL_SPREAD:
        found.append(
            f"The predictions of held-out pictures spread only {spread:.0%} as far as their ratings: the probe gives "
            "nearly the same score to every picture. Rate more pictures, or ones that differ more."
        )
    found += _few_held_out(result, pictures, FEW_TESTED, "pictures", "rated pictures")
    of_subsets = {
        name: min(split.subsets[name].count if name in split.subsets else 0 for split in result.splits)
        for name in sorted(set(subsets or ()))
    }
    found += small_subsets(of_subsets, FEW_TESTED, "held out by some split")
    if groups is not None:
        units = numbered(join_groups(pictures, groups), len(pictures))
        found += _few_held_out(result, units, FEW_GROUPS, "groups", "groups, of other pictures each")
    return tuple(found)


def _few_held_out(
    result: ProtocolResult, units: NDArray[np.int64], needed: int, kind: str, better: str
) -> tuple[str, ...]:
    """A sentence where a split holds out fewer than `needed` of the units, whose numbers (n,) the rows have."""
    held_out = min(len(np.unique(units[split.rows])) for split in result.splits)
    if held_out >= needed:
        return ()
    return (
        f"Each split holds out only {held_out} of {len(np.unique(units))} {kind}, so the figures say little. "
        f"They would say more with {math.ceil(needed / TEST_SHARE)} {better}.",
    )


def small_subsets(counts: Mapping[str, int], needed: int, kind: str) -> tuple[str, ...]:
    """A sentence on subsets of which fewer than `needed` pictures are `kind` ("judged"); none without one."""
    small = [f"{count} of {name}" for name, count in counts.items() if count < needed]
    if not small:
        return ()
    more = f", and as few of {len(small) - _NAMED} others" if len(small) > _NAMED else ""
    named = ", ".join(small[:_NAMED]) + more
    return (f"The figures of subsets with fewer than {needed} pictures {kind} say little: {named}.",)


def few_judged(count: int) -> tuple[str, ...]:
    """A sentence where a model is judged by so few pictures; none where there are enough."""
    if count >= FEW_JUDGED:
        return ()
    return (f"The figures are of {count} pictures, so they say little; see their intervals, which are wide.",)


def runs_against(model: Model, rows: AnyFeatures, positions: Vector) -> bool:
    """Whether the model's own scores of features (n, R, D) fall as the positions (n,) rise."""
    return model.probe is not None and srcc(model.probe.predict(rows.mean(axis=1)), positions) < REVERSED
