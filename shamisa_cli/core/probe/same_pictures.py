"""Pictures that a table has under several names, as a link beside its file or a copy: rows with equal features.

A probe knows by heart what it was fitted on, so such rows are never fitted on and held out at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures

_DIGEST_BYTES = 16


def picture_keys(features: AnyFeatures) -> list[Hashable]:
    """A key of each row of features (n, D) or (n, R, D), equal where features are.

    A row of zeros, as the difference of any picture from itself is, equals no other.
    """
    return [
        blake2b(row.tobytes(), digest_size=_DIGEST_BYTES).digest() if row.any() else number
        for number, row in enumerate(features)
    ]


def same_pictures(features: AnyFeatures) -> NDArray[np.int64]:
    """The number of each row's picture, (n,): that of the first row with the same features (n, D) or (n, R, D)."""
    return first_places(picture_keys(features))


def first_places(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """For each key, (n,), the place at which it occurs first."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(key, place) for place, key in enumerate(keys)], dtype=np.int64)


def join_groups(pictures: NDArray[np.int64], groups: Sequence[str] | None) -> Sequence[str] | None:
    """Names (n,) of rows that stay together: those of one group, and of one picture, directly or through others.

    Where no group has to be joined with another, the names are those that were given.

    Args:
        pictures: (n,), from `same_pictures`.
        groups: (n,) names, or None where every row is its own.
    """
    rows = np.arange(len(pictures))
    if groups is None and (pictures == rows).all():
        return None
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    digits = len(str(len(rows)))
    given = [f"{row:0{digits}}" for row in rows] if groups is None else list(groups)
    names, members = np.unique(given, return_inverse=True)
    links = (np.ones(len(rows)), (members, len(names) + pictures))
    size = len(names) + len(rows)
    parts = connected_components(coo_matrix(links, shape=(size, size)), directed=False)[1][: len(names)]
    first = {part: str(name) for part, name in zip(reversed(parts), reversed(names), strict=True)}
    return [first[part] for part in parts[members]]


def numbered(names: Sequence[str] | None, count: int) -> NDArray[np.int64]:
    """Numbers 0…K−1 of the names of `count` rows, (count,), in their order; of None, where each row is its own."""
    return np.arange(count) if names is None else np.unique(np.asarray(names), return_inverse=True)[1]


def repeats(paths: Sequence[Path], pictures: NDArray[np.int64], effect: str) -> tuple[str, ...]:
    """A sentence on rows that show a picture which an earlier row shows, and their effect; none without any."""
    again = np.flatnonzero(pictures != np.arange(len(pictures)))
    if not len(again):
        return ()
    row = again[0]
    verb = "is a picture that another row names too" if len(again) == 1 else "are pictures that other rows name too"
    return (
        f"{len(again):,} of the {len(pictures):,} rows of the table {verb}, as {paths[row]} and "
        f"{paths[pictures[row]]}: {effect}",
    )
