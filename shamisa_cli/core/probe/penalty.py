"""Choice of the penalty of a ridge regression, by the error on rows that were not fitted on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shamisa_cli.core.arrays import AnyFeatures, Vector
from shamisa_cli.core.probe.pseudo import PseudoLabels
from shamisa_cli.core.probe.ridge_path import RidgePath, candidate_alphas, ridge_path

FOLDS = 10

_ROUNDING = 1e-9


def choose_alpha(path: RidgePath, features: AnyFeatures, mos: Vector) -> float:
    """Choose the penalty with the smallest squared error on validation features (n, D) and scores (n,).

    A rank correlation would not do: under a large penalty every picture gets nearly the same prediction, in an order
    that may still be right.
    """
    return smallest_error(candidate_alphas(features.shape[1]), _squared_errors(path, features, mos))


def cross_validated_alpha(
    features: AnyFeatures,
    mos: Vector,
    *,
    groups: Sequence[str] | None = None,
    seed: Sequence[int] = (0,),
    pseudo: PseudoLabels | None = None,
) -> float:
    """Choose as `choose_alpha`, by the error over folds of the rows (n, D); rows of one group (n,) share a fold.

    Pseudo-labels are fitted in every fold.
    """
    members = np.arange(len(mos)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    units = np.random.default_rng(list(seed)).permutation(int(members.max()) + 1)
    errors = np.zeros(len(candidate_alphas(features.shape[1])))
    for fold in np.array_split(units, min(FOLDS, len(units))):
        inside = np.isin(members, fold)
        path = ridge_path(features[~inside], mos[~inside], pseudo=pseudo)
        errors += _squared_errors(path, features[inside], mos[inside])
    return smallest_error(candidate_alphas(features.shape[1]), errors)


def smallest_error(alphas: Vector, errors: Vector) -> float:
    """Of rising penalties (A,), the one with the smallest error (A,); of equals but for rounding, the smallest."""
    return float(alphas[np.flatnonzero(errors <= errors.min() * (1 + _ROUNDING))[0]])


def _squared_errors(path: RidgePath, features: AnyFeatures, mos: Vector) -> Vector:
    """Sums (A,) over the rows (n, D) under each candidate penalty."""
    residuals = path.predictions(features, candidate_alphas(features.shape[1])) - mos[:, None]
    return np.asarray(np.square(residuals).sum(axis=0), np.float64)
