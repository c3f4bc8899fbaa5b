"""The parts that a probe can be fitted to beside human scores, and the fit of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Vector
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.probe.ordinal import OrdinalPairs, OrdinalSettings, fit_ordinal
from shamisa_cli.core.probe.pseudo import PseudoLabels
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.ridge_path import fit_ridge
from shamisa_cli.core.probe.sessions import SessionSettings, fit_by_session


@dataclass(frozen=True)
class Recipe:
    """Parts of a fit beside features and scores; see the modules of each.

    Attributes:
        sessions: (n,) the rating session or study of each row; None fits all rows as one.
        session: how sessions are fitted.
        pseudo: versions of photographs with pseudo-labels.
        pairs: ordinal pairs.
        ordinal: weight and margin of the pairs.

    Raises SettingError for ordinal pairs beside sessions or pseudo-labels.
    """

    sessions: Sequence[str] | None = None
    session: SessionSettings = field(default_factory=SessionSettings)
    pseudo: PseudoLabels | None = None
    pairs: OrdinalPairs | None = None
    ordinal: OrdinalSettings = field(default_factory=OrdinalSettings)

    def __post_init__(self) -> None:
        if self.pairs is not None and (self.pseudo is not None or self.sessions is not None):
            raise SettingError("Degraded pairs are not fitted together with pseudo-labels or sessions; leave one out.")

    @property
    def versions(self) -> PseudoLabels | OrdinalPairs | None:
        """Versions of degraded photographs that are fitted."""
        return self.pairs if self.pseudo is None else self.pseudo

    def without(self, photos: Sequence[int]) -> Recipe:
        """The same without the versions of these photographs."""
        return replace(
            self,
            pseudo=self.pseudo and self.pseudo.part(photos, inside=False),
            pairs=self.pairs and self.pairs.part(photos, inside=False),
        )

    def of_rows(self, rows: NDArray[np.int64]) -> Recipe:
        """The same for some rows of the table."""
        return self if self.sessions is None else replace(self, sessions=[self.sessions[row] for row in rows])

    def fit(self, features: AnyFeatures, quality: Vector, alpha: float) -> Ridge:
        """Fit features (n, D) to positions (n,), with this penalty unless there are sessions, which have their own."""
        if self.sessions is not None:
            return fit_by_session(features, quality, self.sessions, self.session, self.pseudo)
        if self.pairs is not None:
            return fit_ordinal(features, quality, alpha, self.pairs, self.ordinal)
        return fit_ridge(features, quality, alpha, pseudo=self.pseudo)
