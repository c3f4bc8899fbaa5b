"""Ordinal pairs, which need no raters: of one photograph, the version that was degraded more looks worse (ours)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.scaling import Scaling

MARGIN = 0.04
"""Margin by which a version must score worse per unit of severity, as a share of the range of fitted scores."""

MAX_ROUNDS = 30
TOO_FEW_PHOTOS = "Degraded pairs take two different photographs at least, as each split leaves some out of its fit."


@dataclass(frozen=True)
class OrdinalPairs:
    """m pairs of versions of one photograph under one operator of the engine.

    Attributes:
        milder, stronger: (m, D) features of the version that was degraded less (or not at all), and more.
        gap: (m,) difference of their severities (0…4), ≥ 0.
        photo: (m,) index of the photograph; of one that is there twice, as a copy, the first.
    """

    milder: AnyFeatures
    stronger: AnyFeatures
    gap: Vector
    photo: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.gap)

    def part(self, photos: Collection[int], *, inside: bool) -> OrdinalPairs:
        """The pairs of the given `photos`, or all others."""
        chosen = np.isin(self.photo, list(photos)) == inside
        return OrdinalPairs(self.milder[chosen], self.stronger[chosen], self.gap[chosen], self.photo[chosen])

    def accuracy(self, predict: Callable[[AnyFeatures], Vector]) -> float:
        """Share of pairs, 0…1, that are in the right order by predictions (higher is better); nan without pairs."""
        if not len(self):
            return float("nan")
        better, worse = predict(self.milder), predict(self.stronger)
        return float(np.mean(better > worse))


@dataclass(frozen=True)
class OrdinalSettings:
    """Weight and margin of the ordinal pairs.

    Attributes:
        weight: total weight of the pairs relative to that of the human scores, ≥ 0.
        margin: see `MARGIN`.
    """

    weight: float = 1.0
    margin: float = MARGIN


def fit_ordinal(
    features: AnyFeatures, quality: Vector, alpha: float, pairs: OrdinalPairs, settings: OrdinalSettings
) -> Ridge:
    """Minimise Σ(y − b − w·x)² + λ·Σ max(0, margin·gap − w·(x_milder − x_stronger))² + α·‖w‖².

    x are standardised by the images with scores; λ = weight · n / m. The squared hinge penalises only pairs that
    violate the margin; its minimum is found by Newton steps over the set of those (finite, as for L2 support
    vector machines: Keerthi and DeCoste, JMLR 2005), each a linear system in the dual.

    Args:
        features, quality: (n, D) and (n,), as for `fit_ridge`; higher is better.
        alpha: penalty on the squared norm of the weights, above 0.
        pairs: m pairs.
    """
    scaling = Scaling.standard(features)
    rows = scaling.rows(features)
    mean_row, bias = rows.mean(axis=0), float(quality.mean())
    strength = np.sqrt(settings.weight * len(rows) / len(pairs))
    differences = strength * (scaling.rows(pairs.milder) - scaling.rows(pairs.stronger))
    wanted = strength * settings.margin * float(np.ptp(quality)) * pairs.gap
    system = np.concatenate([rows - mean_row, differences])
    targets = np.concatenate([quality - bias, wanted])
    weights = system.T @ _active_set(system @ system.T, targets, len(rows), alpha)
    return Ridge(
        weights=weights * scaling.balance,
        bias=bias - float(mean_row @ weights),
        feature_mean=scaling.mean,
        feature_scale=scaling.scale,
        clip=scaling.clip,
        alpha=float(alpha),
    )


def _active_set(gram: Matrix, targets: Vector, scores: int, alpha: float) -> Vector:
    """Dual coefficients, 0 for pairs that satisfy the margin; the first `scores` rows are always active."""
    from scipy.linalg import cho_factor, cho_solve

    active = np.ones(len(targets), dtype=bool)
    active[scores:] = False
    for _ in range(MAX_ROUNDS):
        chosen = np.flatnonzero(active)
        inner = gram[np.ix_(chosen, chosen)]
        inner[np.diag_indices_from(inner)] += alpha
        coefficients = np.zeros(len(targets))
        coefficients[chosen] = cho_solve(cho_factor(inner, overwrite_a=True), targets[chosen])
        violated = gram @ coefficients < targets
        violated[:scores] = True
        if (violated == active).all():
            break
        active = violated
    return coefficients
