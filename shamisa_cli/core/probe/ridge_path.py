"""Ridge regression from features to human scores, efficient with more features than images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.probe.pseudo import PseudoLabels
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.scaling import Scaling

ALPHAS_PER_FEATURE = np.logspace(-4, 4, 33)
"""Candidate penalties, as multiples of the feature length D, the mean squared norm of standardised features."""


@dataclass(frozen=True)
class RidgePath:
    """The solutions of one training set for every penalty, from a single eigendecomposition.

    With X (n, D) standardised and y centred, X Xᵀ = U Λ Uᵀ gives w = Xᵀ U (Λ + α)⁻¹ Uᵀ y (the dual form)
    for D ≥ n, and Xᵀ X = V Λ Vᵀ gives w = V (Λ + α)⁻¹ Vᵀ Xᵀ y for D < n (Hastie, Tibshirani, Friedman, The
    Elements of Statistical Learning, sections 3.4.1 and 18.3.5). Made by `ridge_path`.
    """

    scaling: Scaling
    mean_row: Vector
    """The mean of the training rows, which are clipped and so not quite centred; subtracted from all rows."""
    mean_score: float
    vectors: Matrix
    eigenvalues: Vector
    projected: Vector
    rows: Matrix
    """The training rows, by which dual coefficients become weights."""

    @property
    def dual(self) -> bool:
        """Whether there are at least as many features as rows."""
        return bool(self.rows.shape[1] >= len(self.rows))

    def towards(self, mos: Vector) -> RidgePath:
        """The path of the same features, without pseudo-labels, for other scores (n,), at the cost of one product."""
        mean = float(mos.mean())
        return replace(self, mean_score=mean, projected=self.vectors.T @ _right_side(self.rows, mos - mean))

    def weights(self, alphas: Vector) -> Matrix:
        """Weights (D, A) of rows, a column for each of the penalties (A,), all above 0."""
        shrunk = self.projected[:, None] / (self.eigenvalues[:, None] + alphas)
        coefficients = self.vectors @ shrunk
        return self.rows.T @ coefficients if self.dual else coefficients

    def predictions(self, features: AnyFeatures, alphas: Vector) -> Matrix:
        """Scores (n, A) of features (n, D) under each of the penalties (A,)."""
        return self.mean_score + (self.scaling.rows(features) - self.mean_row) @ self.weights(alphas)

    def at(self, alpha: float) -> Ridge:
        """The solution for one penalty above 0."""
        weights = self.weights(np.array([alpha]))[:, 0]
        return Ridge(
            weights=weights * self.scaling.balance,
            bias=self.mean_score - float(self.mean_row @ weights),
            feature_mean=self.scaling.mean,
            feature_scale=self.scaling.scale,
            clip=self.scaling.clip,
            alpha=float(alpha),
        )


def ridge_path(
    features: AnyFeatures, mos: Vector, *, standardise: bool = True, pseudo: PseudoLabels | None = None
) -> RidgePath:
    """Prepare the ridge solutions of features (n, D) and scores (n,).

    Columns are standardised, clipped and balanced here, or else only centred; see `Scaling`. Costs about
    n·D·min(n, D) + 10·min(n, D)³ operations in float64 and one standardised copy of the features.

    Args:
        features, mos: one row per image.
        standardise: or only centre.
        pseudo: versions of photographs, fitted together with the scores.

    Raises ValueError when shapes do not match or values are not finite.
    """
    if features.ndim != 2 or mos.shape != (len(features),) or not len(features):
        raise ValueError(f"Features {features.shape} and scores {mos.shape} do not go together.")
    if not (np.isfinite(features).all() and np.isfinite(mos).all()):
        raise ValueError("Features and scores must be finite numbers.")
    scaling = Scaling.standard(features) if standardise else Scaling.centring(features)
    rows = scaling.rows(features)
    mean_row = rows.mean(axis=0)
    rows -= mean_row
    mean_score = float(mos.mean())
    targets = mos - mean_score
    if pseudo is not None:
        root = np.sqrt(pseudo.settings.weight)
        rows = np.concatenate([rows, root * pseudo.rows(scaling)])
        targets = np.concatenate([targets, root * pseudo.targets])
    dual = rows.shape[1] >= rows.shape[0]
    eigenvalues, vectors = _eigh(rows @ rows.T if dual else rows.T @ rows)
    return RidgePath(
        scaling=scaling,
        mean_row=mean_row,
        mean_score=mean_score,
        vectors=vectors,
        eigenvalues=eigenvalues.clip(min=0),
        projected=vectors.T @ _right_side(rows, targets),
        rows=rows,
    )


def _right_side(rows: Matrix, scores: Vector) -> Vector:
    return scores if rows.shape[1] >= rows.shape[0] else rows.T @ scores


def _eigh(gram: Matrix) -> tuple[Vector, Matrix]:
    from threadpoolctl import threadpool_limits

    # BLAS threads synchronise at every step here: they gain little on an idle machine, and on a busy one the
    # same 2,520 images took 45 s with two threads and 6 s with one.
    with threadpool_limits(1, user_api="blas"):
        eigenvalues, vectors = np.linalg.eigh(gram)
    return eigenvalues, vectors


def fit_ridge(features: AnyFeatures, mos: Vector, alpha: float, *, pseudo: PseudoLabels | None = None) -> Ridge:
    """Ridge regression of scores (n,) on features (n, D), with penalty `alpha` > 0 on standardised features."""
    return ridge_path(features, mos, pseudo=pseudo).at(alpha)


def candidate_alphas(feature_length: int) -> Vector:
    """Candidate penalties, rising, for features of the given length."""
    return ALPHAS_PER_FEATURE * feature_length
