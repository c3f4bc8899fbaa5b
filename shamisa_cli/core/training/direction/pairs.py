"""Pairs of versions of photographs, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.probe.same_pictures import same_pictures
from shamisa_cli.core.scoring.feature_formats import READ_ERRORS


@dataclass(frozen=True)
class DirectionPairs:
    """m pairs of n versions of photographs.

    Attributes:
        features: (n, D) of the encoder, float16 or float32.
        statistics: (n, S), `image_statistics`.
        first, second: (m,), places of the two versions.
        better: (m,), 1 where the second version is better, −1 where it is worse.
        weight: (m,), of the pair in the objective.
        photo: (m,), index of the photograph; of one that is there twice, as a copy, the first.
        odd, even: (m, N), `pair_statistics`.
    """

    features: NDArray[np.floating]
    statistics: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    better: NDArray[np.float32]
    weight: NDArray[np.float32]
    photo: NDArray[np.int64]
    odd: NDArray[np.float32]
    even: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.better)


def joined(parts: Sequence[DirectionPairs]) -> DirectionPairs:
    """The pairs of several photographs, one part each; photographs are numbered in their order, copies as one."""
    photos = same_pictures(np.stack([part.features[0] for part in parts]))
    starts = np.cumsum([0, *(len(part.features) for part in parts[:-1])])
    numbered = [
        replace(part, first=part.first + start, second=part.second + start, photo=np.full_like(part.photo, photo))
        for photo, part, start in zip(photos, parts, starts, strict=True)
    ]
    names = [each.name for each in fields(DirectionPairs)]
    return DirectionPairs(**{name: np.concatenate([getattr(part, name) for part in numbered]) for name in names})


def write_pairs(path: Path, pairs: DirectionPairs) -> None:
    """Write pairs to an npz file, which appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside, beside.open("wb") as stream:
        np.savez(stream, **{each.name: getattr(pairs, each.name) for each in fields(DirectionPairs)})


def read_pairs(path: Path) -> DirectionPairs | None:
    """Read pairs that `write_pairs` wrote; None where there is no such file, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = DirectionPairs(**{each.name: stored[each.name] for each in fields(DirectionPairs)})
    except READ_ERRORS:
        return None
    return found if _is_whole(found) else None


def _is_whole(pairs: DirectionPairs) -> bool:
    """Whether the numbers of versions and of pairs agree, and pairs are of versions that are there."""
    tables = (pairs.features, pairs.statistics, pairs.odd, pairs.even)
    rows = (pairs.first, pairs.second, pairs.better, pairs.weight, pairs.photo)
    if any(values.ndim != 2 for values in tables) or any(values.ndim != 1 for values in rows):
        return False
    versions, of_pairs = len(pairs.features), (pairs.odd, pairs.even, *rows)
    if not len(pairs) or len(pairs.statistics) != versions or any(len(values) != len(pairs) for values in of_pairs):
        return False
    places = np.stack([pairs.first, pairs.second])
    return places.dtype.kind == "i" and bool(((places >= 0) & (places < versions)).all())
