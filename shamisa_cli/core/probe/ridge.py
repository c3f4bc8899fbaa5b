"""Ridge regression from features to human scores, efficient with more features than images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.intervals import Interval
from shamisa_cli.core.probe.scale import MosScale

POINTS = 100.0
"""The best score."""

ALPHAS_PER_FEATURE = np.logspace(-4, 4, 33)
"""Candidate penalties, as multiples of the feature length D, the mean squared norm of standardised features."""

LEAST_SPREAD = 0.5
"""Least scale of a feature, as a share of the median. Channels that are rarely active have a tiny spread; divided by
it, a single image that activates one would be thousands of deviations away from all others, and its score too."""

_ROUNDING = float(np.finfo(np.float32).eps)
"""Features are float32: a spread below this share of their mean is rounding error; they then count as constant."""


@dataclass(frozen=True)
class Ridge:
    """A linear map from features to scores.

    Attributes:
        weights: (D,) for standardised features.
        bias: the prediction at the mean features.
        feature_mean, feature_scale: (D,), of the pictures fitted on; the scale is 1 for constant features.
        alpha: the penalty on the squared norm of the weights, against the sum of squared errors.
    """

    weights: Vector
    bias: float
    feature_mean: Vector
    feature_scale: Vector
    alpha: float

    def predict(self, features: AnyFeatures) -> Vector:
        """Scores (n,) of features (n, D)."""
        return _linear(features, self.weights, self.bias, self.feature_mean, self.feature_scale)


@dataclass(frozen=True)
class Probe:
    """A linear map for one encoder's features, with the scale of the human scores it was fitted to.

    It predicts positions, 0 (worst) to 1 (best), whichever way the human scale runs.

    Attributes:
        weights, bias, feature_mean, feature_scale, alpha: as in `Ridge`, float64.
        scale: from positions, which the weights predict, to the human scores that were fitted.
        encoder_fingerprint: names the encoder and preprocessing the features came from.
        interval: prediction interval of human scores; None if it was not measured.

    Raises ModelError when the parts are inconsistent or not finite.
    """

    weights: Vector
    bias: float
    feature_mean: Vector
    feature_scale: Vector
    scale: MosScale
    alpha: float
    encoder_fingerprint: str
    interval: Interval | None = None

    def __post_init__(self) -> None:
        vectors = (self.weights, self.feature_mean, self.feature_scale)
        if self.weights.ndim != 1 or any(vector.shape != self.weights.shape for vector in vectors):
            raise ModelError("The probe is damaged: its weights, means and scales differ in length.")
        numbers = (self.bias, self.alpha)
        if not all(np.isfinite(values).all() for values in (*vectors, *numbers)):
            raise ModelError("The probe is damaged: it has values that are not finite numbers.")
        if not (self.feature_scale > 0).all():
            raise ModelError("The probe is damaged: the scale of a feature must be above 0.")

    @classmethod
    def from_ridge(
        cls,
        ridge: Ridge,
        *,
        scale: MosScale,
        encoder_fingerprint: str,
        interval: Interval | None = None,
    ) -> Probe:
        """The probe of a map that was fitted to positions on `scale`."""
        return cls(
            weights=ridge.weights,
            bias=ridge.bias,
            feature_mean=ridge.feature_mean,
            feature_scale=ridge.feature_scale,
            scale=scale,
            alpha=ridge.alpha,
            encoder_fingerprint=encoder_fingerprint,
            interval=interval,
        )

    def predict(self, features: AnyFeatures) -> Vector:
        """Positions (n,) of features (n, D); not clipped.

        Raises ModelError when the features have another length than the probe was fitted on.
        """
        return _linear(features, self.weights, self.bias, self.feature_mean, self.feature_scale)

    def score(self, positions: Vector) -> Vector:
        """Scores of positions of any shape: times 100 and clipped to 0…100."""
        return np.clip(POINTS * np.asarray(positions, dtype=np.float64), 0, POINTS)

    def score_interval(self, position: float) -> tuple[float, float] | None:
        """Lower and upper end, 0…100, of the prediction interval at these positions; None without an interval."""
        if self.interval is None:
            return None
        low, high = (float(end) for end in self.score(np.array(self.interval.around(np.array(position)))))
        return low, high


@dataclass(frozen=True)
class RidgePath:
    """The solutions of one training set for every penalty, from a single eigendecomposition.

    With X (n, D) standardised and y centred, X Xᵀ = U Λ Uᵀ gives w = Xᵀ U (Λ + α)⁻¹ Uᵀ y (the dual form)
    for D ≥ n, and Xᵀ X = V Λ Vᵀ gives w = V (Λ + α)⁻¹ Vᵀ Xᵀ y for D < n (Hastie, Tibshirani, Friedman, The
    Elements of Statistical Learning, sections 3.4.1 and 18.3.5). Made by `ridge_path`.
    """

    bias: float
    feature_mean: Vector
    feature_scale: Vector
    vectors: Matrix
    eigenvalues: Vector
    projected: Vector
    rows: Matrix
    """The standardised training features, by which dual coefficients become weights."""

    @property
    def dual(self) -> bool:
        """Whether there are at least as many features as rows."""
        return len(self.feature_mean) >= len(self.rows)

    def towards(self, mos: Vector) -> RidgePath:
        """The path of the same features for other scores (n,), at the cost of one product."""
        bias = float(mos.mean())
        return replace(self, bias=bias, projected=self.vectors.T @ _right_side(self.rows, mos - bias))

    def weights(self, alphas: Vector) -> Matrix:
        """Weights (D, A), a column for each of the penalties (A,), all above 0."""
        shrunk = self.projected[:, None] / (self.eigenvalues[:, None] + alphas)
        coefficients = self.vectors @ shrunk
        return self.rows.T @ coefficients if self.dual else coefficients

    def predictions(self, features: AnyFeatures, alphas: Vector) -> Matrix:
        """Scores (n, A) of features (n, D) under each of the penalties (A,)."""
        return self.bias + (features - self.feature_mean) / self.feature_scale @ self.weights(alphas)

    def at(self, alpha: float) -> Ridge:
        """The solution for one penalty above 0."""
        weights = self.weights(np.array([alpha]))[:, 0]
        return Ridge(weights, self.bias, self.feature_mean, self.feature_scale, float(alpha))


def standardised(features: AnyFeatures) -> tuple[Vector, Vector, Matrix]:
    """Means (D,), scales (D,) and the rows of features (n, D) less the means, over the scales; float64.

    A column's scale is its standard deviation, or `LEAST_SPREAD` of the median column's where that is more, or 1
    where it is constant.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    rows = features - mean
    scale = np.sqrt(np.einsum("nd,nd->d", rows, rows) / len(rows))
    constant = scale <= _ROUNDING * np.abs(mean)
    if not constant.all():
        scale = np.maximum(scale, LEAST_SPREAD * np.median(scale[~constant]))
    scale[constant] = 1.0
    rows /= scale
    return mean, scale, rows


def centred(features: AnyFeatures) -> tuple[Vector, Vector, Matrix]:
    """Means (D,), ones (D,) and the rows of features (n, D) less the means; float64."""
    mean = features.mean(axis=0, dtype=np.float64)
    return mean, np.ones_like(mean), features - mean


def ridge_path(features: AnyFeatures, mos: Vector, *, standardise: bool = True) -> RidgePath:
    """Prepare the ridge solutions of features (n, D) and scores (n,).

    Columns are standardised here, or else only centred. Costs about n·D·min(n, D) + 10·min(n, D)³ operations in
    float64 and one standardised copy of the features.
    Raises ValueError when shapes do not match or values are not finite.
    """
    if features.ndim != 2 or mos.shape != (len(features),) or not len(features):
        raise ValueError(f"Features {features.shape} and scores {mos.shape} do not go together.")
    if not (np.isfinite(features).all() and np.isfinite(mos).all()):
        raise ValueError("Features and scores must be finite numbers.")
    mean, scale, rows = standardised(features) if standardise else centred(features)
    bias = float(mos.mean())
    dual = rows.shape[1] >= rows.shape[0]
    eigenvalues, vectors = _eigh(rows @ rows.T if dual else rows.T @ rows)
    return RidgePath(
        bias=bias,
        feature_mean=mean,
        feature_scale=scale,
        vectors=vectors,
        eigenvalues=eigenvalues.clip(min=0),
        projected=vectors.T @ _right_side(rows, mos - bias),
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


def fit_ridge(features: AnyFeatures, mos: Vector, alpha: float) -> Ridge:
    """Ridge regression of scores (n,) on features (n, D), with penalty `alpha` > 0 on standardised features."""
    return ridge_path(features, mos).at(alpha)


def candidate_alphas(feature_length: int) -> Vector:
    """Candidate penalties, rising, for features of the given length."""
    return ALPHAS_PER_FEATURE * feature_length


def _linear(features: AnyFeatures, weights: Vector, bias: float, mean: Vector, scale: Vector) -> Vector:
    if features.ndim != 2 or features.shape[1] != len(weights):
        raise ModelError(f"The probe reads {len(weights)} features per picture, and got {features.shape}.")
    # Row by row, with NumPy's own sum: a score must not depend on the other images of a batch.
    return np.array([bias + float(np.sum((row - mean) / scale * weights)) for row in features], dtype=np.float64)
