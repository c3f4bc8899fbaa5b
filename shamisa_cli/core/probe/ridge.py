"""Linear maps from features to human scores, and the probe that is kept of one."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Vector
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.familiarity import Familiarity
from shamisa_cli.core.probe.intervals import Interval
from shamisa_cli.core.probe.scale import MosScale
from shamisa_cli.core.probe.scaling import LEAST_SCALE, standardised
from shamisa_cli.core.probe.session_parts import SessionLikeness, SessionOffset

POINTS = 100.0
"""The best score."""
SAME_SCORE, NEARLY_SAME_SCORE = 1e-12, 1e-6
"""Human scores that are nearer than this share of their scale are of one picture, and of one by two runtimes."""
BY_CHANCE = 1e-6
"""Probability up to which so many pictures with nearly the score of one fitted on are not there by chance."""


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """A linear map from standardised, bounded features to positions, 0 (worst) to 1 (best).

    Attributes:
        weights: (D,) for standardised features.
        bias: the prediction at the mean features, without the offset.
        feature_mean, feature_scale: (D,), of the pictures fitted on; the scale is 1 for constant features.
        clip: bound of standardised features on both sides, so that nothing is extrapolated; None for no bound.
        alpha: the penalty on the squared norm of the weights, against the sum of squared errors.
        offset: added to the linear part where scores of several sessions were fitted; else None.
        likeness: which of those sessions an image is most like.
    """

    weights: Vector
    bias: float
    feature_mean: Vector
    feature_scale: Vector
    alpha: float
    clip: float | None = None
    offset: SessionOffset | None = None
    likeness: SessionLikeness | None = None

    @property
    def base(self) -> float:
        """The prediction at the mean features."""
        return self.bias + (self.offset.of(np.zeros_like(self.weights)) if self.offset else 0.0)

    def predict(self, features: AnyFeatures) -> Vector:
        """Positions (n,) of features (n, D); not clipped.

        Raises ModelError when the features have another length than those fitted on.
        """
        if features.ndim != 2 or features.shape[1] != len(self.weights):
            raise ModelError(f"The probe reads {len(self.weights)} features per picture, and got {features.shape}.")
        # Row by row, with NumPy's own sum: a score must not depend on the other images of a batch.
        return np.array([self._position(self._standardised(row)) for row in features], dtype=np.float64)

    def sessions_of(self, features: AnyFeatures) -> NDArray[np.int64]:
        """Numbers (n,) of the rating sessions that images are most like, by features (n, D); 0 without sessions."""
        if self.likeness is None:
            return np.zeros(len(features), dtype=np.int64)
        return np.array([self.likeness.nearest(self._standardised(row)) for row in features], dtype=np.int64)

    def slopes(self, features: AnyFeatures) -> tuple[Vector, float]:
        """Weights (D,) and a constant with which this one image's prediction is constant + Σ weights · features.

        A feature beyond the bound has no weight, and an offset beyond its bounds none at all.
        """
        row = self._standardised(features)
        weights = self.weights
        if self.offset and self.offset.low <= self.offset.raw(row) <= self.offset.high:
            weights = weights + self.offset.share * self.offset.weights
        inside = np.ones(len(row), dtype=bool) if self.clip is None else np.abs(row) < self.clip
        slopes = np.where(inside, weights / self.feature_scale, 0.0)
        return slopes, self._position(row) - float(np.sum(slopes * features))

    def _standardised(self, features: AnyFeatures) -> Vector:
        return standardised(features, self.feature_mean, self.feature_scale, self.clip)

    def _position(self, row: Vector) -> float:
        linear = self.bias + float(np.sum(row * self.weights))
        return linear + self.offset.of(row) if self.offset else linear


@dataclass(frozen=True, kw_only=True)
class Probe(Ridge):
    """A linear map for one encoder's features, with the scale of the human scores it was fitted to.

    It predicts positions, whichever way the human scale runs.

    Attributes:
        weights, bias, feature_mean, feature_scale, alpha, clip, offset, likeness: as in `Ridge`, float64.
        scale: from positions, which the weights predict, to the human scores that were fitted.
        encoder_fingerprint: names the encoder and preprocessing the features came from.
        interval: prediction interval of human scores; None if it was not measured.
        session_intervals: one for images like each of the sessions of `likeness`, in its place; empty if not measured.
        familiarity: what is usual among the pictures fitted on; None if it was not measured.
        fitted: (n,) rising, the human scores that it gives to the pictures fitted on; None if they were not kept.

    Raises ModelError when the parts are inconsistent or not finite.
    """

    scale: MosScale
    encoder_fingerprint: str
    interval: Interval | None = None
    session_intervals: tuple[Interval, ...] = ()
    familiarity: Familiarity | None = None
    fitted: Vector | None = None

    def __post_init__(self) -> None:
        vectors = [self.weights, self.feature_mean, self.feature_scale]
        numbers: list[float] = [self.bias, self.alpha, *([] if self.clip is None else [self.clip])]
        if self.offset:
            vectors.append(self.offset.weights)
            numbers += [self.offset.bias, self.offset.low, self.offset.high, self.offset.share]
        if self.weights.ndim != 1 or any(vector.shape != self.weights.shape for vector in vectors):
            raise ModelError("The probe is damaged: its weights, means and scales differ in length.")
        if not (all(np.isfinite(vector).all() for vector in vectors) and np.isfinite(numbers).all()):
            raise ModelError("The probe is damaged: it has values that are not finite numbers.")
        if not (self.feature_scale >= LEAST_SCALE).all():
            raise ModelError(f"The probe is damaged: the scale of a feature must be at least {LEAST_SCALE:.0e}.")
        if self.alpha < 0:
            raise ModelError("The probe is damaged: its penalty must be 0 or more.")
        if self.clip is not None and self.clip <= 0:
            raise ModelError("The probe is damaged: the bound of its features must be above 0.")
        if self.offset and not (self.offset.low <= self.offset.high and 0 <= self.offset.share <= 1):
            raise ModelError("The probe is damaged: the bounds or the share of its session offset are out of range.")
        if self.likeness and self.likeness.weights.shape[1] != len(self.weights):
            raise ModelError("The probe is damaged: its likeness to sessions is for another number of features.")
        sessions = 0 if self.likeness is None else len(self.likeness.names)
        if len(self.session_intervals) not in (0, sessions):
            raise ModelError("The probe is damaged: it needs an interval for each of its sessions, or none.")
        if self.familiarity is not None and self.familiarity.widths.sum() != len(self.weights):
            raise ModelError("The probe is damaged: its check of familiarity is for another number of features.")
        fitted = np.zeros(0) if self.fitted is None else self.fitted
        if fitted.ndim != 1 or not np.isfinite(fitted).all() or (np.diff(fitted) < 0).any():
            raise ModelError("The probe is damaged: its scores of the pictures fitted on are not rising numbers.")

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
        parts = {field.name: getattr(ridge, field.name) for field in fields(Ridge)}
        return cls(**parts, scale=scale, encoder_fingerprint=encoder_fingerprint, interval=interval)

    def score(self, positions: Vector) -> Vector:
        """Scores of positions of any shape: times 100 and clipped to 0…100."""
        return np.clip(POINTS * np.asarray(positions, dtype=np.float64), 0, POINTS)

    def fitted_among(self, mos: Vector) -> int:
        """How many, at least, of the pictures to which it gives these human scores (n,) are among those fitted on.

        A score is as good as a name of its picture, but for the ends of the scale, which many share. By another runtime
        or device it is one only nearly: such scores count, less those to expect by chance, where there are far more.
        """
        if self.fitted is None:
            return 0
        low, high = sorted(self.scale.ends)
        fitted, asked = (each[(low < each) & (each < high)] for each in (self.fitted, mos))
        same = int((_within(asked, fitted, SAME_SCORE * (high - low)) > 0).sum())
        return max(same, _known_nearly(asked, fitted, NEARLY_SAME_SCORE * (high - low)))

    def knows(self, features: AnyFeatures) -> bool:
        """Whether an image's features (D,) are like those fitted on; True where that was not measured."""
        if self.familiarity is None:
            return True
        return self.familiarity.knows(features, self.feature_mean, self.feature_scale)

    def interval_for(self, features: AnyFeatures) -> Interval | None:
        """The interval for an image with these features (D,); None without one."""
        if not self.session_intervals:
            return self.interval
        return self.session_intervals[int(self.sessions_of(features[None, :])[0])]

    def score_interval(self, position: float, features: AnyFeatures, factor: float = 1.0) -> tuple[float, float] | None:
        """Lower and upper end, 0…100, of an image's prediction interval; None without an interval.

        Args:
            position: predicted for the image.
            features: (D,), of the image.
            factor: by how much the interval is stretched on both sides.
        """
        interval = self.interval_for(features)
        if interval is None:
            return None
        low, high = (float(end) for end in self.score(np.array(interval.around(np.array(position), factor))))
        return low, high


def _known_nearly(asked: Vector, fitted: Vector, margin: float) -> int:
    """How many values have one of those of `fitted`, which rise, within a margin for another reason than chance.

    By chance a value has as many as lie within 1, 10, … 10⁶ margins of it, over that width, the one that it may be left
    out: the most of these, since scores crowd.
    """
    from scipy.special import pdtrc

    found = _within(asked, fitted, margin) > 0
    nearly = int(found.sum())
    others = [(_within(asked, fitted, width * margin) - found) / width for width in 10.0 ** np.arange(7)]
    expected = float(np.minimum(1.0, np.max(others, axis=0)).sum())
    if not nearly or pdtrc(nearly - 1, expected) > BY_CHANCE:
        return 0
    return round((nearly - expected) / (1 - expected / len(asked)))


def _within(asked: Vector, known: Vector, margin: float) -> NDArray[np.int64]:
    """How many of the known values, which rise, each asked one (n,) has within a margin."""
    return np.searchsorted(known, asked + margin, side="right") - np.searchsorted(known, asked - margin)
