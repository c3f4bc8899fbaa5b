"""The parts of a regressor that tell rating sessions apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.arrays import Features, Vector
from shamisa_cli.core.errors import ModelError


@dataclass(frozen=True)
class SessionOffset:
    """The part of a prediction that an image's likeness to one of several rating sessions explains.

    Attributes:
        weights: (D,) for standardised features.
        bias: the offset at the mean features, before it is bounded.
        low, high: the least and the greatest offset of the sessions fitted on.
        share: 0…1, how much of the offset counts.
    """

    weights: Vector
    bias: float
    low: float
    high: float
    share: float

    def raw(self, row: Vector) -> float:
        """The offset of a row (D,) of standardised features, not bounded."""
        return self.bias + float(np.sum(row * self.weights))

    def of(self, row: Vector) -> float:
        """The addition to the prediction of a row (D,) of standardised features."""
        return self.share * min(max(self.raw(row), self.low), self.high)


@dataclass(frozen=True)
class SessionLikeness:
    """Which of K rating sessions an image is most like.

    Attributes:
        names: (K,) of the sessions.
        weights: (K, D) float32, for standardised features.
        bias: (K,), the likeness at the mean features.

    Raises ModelError when these are inconsistent or not finite.
    """

    names: tuple[str, ...]
    weights: Features
    bias: Vector

    def __post_init__(self) -> None:
        count = len(self.names)
        if not count or self.bias.shape != (count,) or self.weights.ndim != 2 or len(self.weights) != count:
            raise ModelError("The probe is damaged: its likeness to sessions has parts that do not fit together.")
        if not (np.isfinite(self.weights).all() and np.isfinite(self.bias).all()):
            raise ModelError("The probe is damaged: its likeness to sessions has values that are not finite numbers.")

    def nearest(self, row: Vector) -> int:
        """The number of the session that a row (D,) of standardised features is most like."""
        # One sum for each session, as in `Ridge.predict`.
        likeness = [bias + float(np.sum(row * weights)) for weights, bias in zip(self.weights, self.bias, strict=True)]
        return int(np.argmax(likeness))
