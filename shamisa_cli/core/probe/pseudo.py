"""Pseudo-labels: differences in quality that full-reference measures give, where no human score is at hand (ours)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arguments import AtLeast, PositiveInt, Share, check_fields
from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.probe.scaling import Scaling

MOST_WEIGHT = 1e6
"""Largest weight relative to human scores; these count for nothing beside it, and what is much larger overflows."""
Weight = Annotated[float, AtLeast(0, most=MOST_WEIGHT)]

PHOTOS, VERSIONS = 320, 12
WEIGHT = 0.1
DROP = 0.4
LEAST_DROP = 0.1
"""Drop of a version that is hardly changed, as a share of the largest."""
VISIBLE = 0.15
"""Share of the versions, by rank, whose change is too small to count in `PseudoLabels.accuracy`."""


@dataclass(frozen=True)
class PseudoSettings:
    """How versions of pristine photographs enter a fit.

    Attributes:
        photos: the largest number of photographs that are read. More of them help more than more versions of each.
        weight: of each version, relative to a human score; ≥ 0.
        drop: by how much the most degraded version should be placed below its original, in positions of 0…1.
        versions: of each photograph at its size, beside smaller copies.

    Raises SettingError for numbers out of their range.
    """

    photos: PositiveInt = PHOTOS
    weight: Weight = WEIGHT
    drop: Share = DROP
    versions: PositiveInt = VERSIONS

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class PseudoLabels:
    """m degraded versions of photographs.

    Attributes:
        versions, originals: (m, D) features of each version, and of the photograph that it was made from.
        rank: (m,) 0…1, how degraded it is among all versions; 1 is the most.
        photo: (m,) index of the photograph; of one that is there twice, as a copy, the first.
        settings: what the versions weigh.
    """

    versions: AnyFeatures
    originals: AnyFeatures
    rank: Vector
    photo: NDArray[np.int64]
    settings: PseudoSettings = PseudoSettings()

    def __len__(self) -> int:
        return len(self.rank)

    def part(self, photos: Collection[int], *, inside: bool) -> PseudoLabels:
        """The versions of the given `photos`, or all others."""
        chosen = np.isin(self.photo, list(photos)) == inside
        return replace(
            self,
            versions=self.versions[chosen],
            originals=self.originals[chosen],
            rank=self.rank[chosen],
            photo=self.photo[chosen],
        )

    def rows(self, scaling: Scaling) -> Matrix:
        """(m, D): what changed between an original and its version, on the scale that is fitted."""
        rows = scaling.rows(self.versions)
        rows -= scaling.rows(self.originals)
        return rows

    @property
    def targets(self) -> Vector:
        """(m,) changes of position, below 0."""
        return -self.settings.drop * (LEAST_DROP + (1 - LEAST_DROP) * self.rank)

    def accuracy(self, predict: Callable[[AnyFeatures], Vector]) -> float:
        """Share of visibly degraded versions, 0…1, that are predicted below their original; nan without any."""
        seen = self.rank > VISIBLE
        if not seen.any():
            return float("nan")
        return float(np.mean(predict(self.versions[seen]) < predict(self.originals[seen])))
