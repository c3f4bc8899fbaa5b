"""A small network, odd by construction, from what is known of two images to the chance that one is better (ours)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Matrix, Vector
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.scaling import LEAST_SCALE
from shamisa_cli.core.relational.direction import image_statistics, pair_statistics

Values = NDArray[np.floating]

LIMIT = 4.0
"""Standardised inputs are clipped to this."""
SMALL = 0.1
"""Standard deviations; a difference of images much smaller than this is told by its sign, not its size."""


@dataclass(frozen=True)
class Seen:
    """Knowledge of one image: encoder features (D,) and statistics (`image_statistics.count()`,)."""

    features: NDArray[np.float32]
    statistics: NDArray[np.float32]


@dataclass(frozen=True)
class DirectionHead:
    """p = tanh((h(m, d) − h(m, −d)) / 2), where m is what two images share and d what tells them apart.

    Attributes:
        feature_mean, feature_scale: (D,), of encoder features.
        shared: (D, K), principal parts of standardised features.
        apart: (D, L), principal parts of their differences, and the direction of a no-reference score.
        statistic_mean, statistic_scale: (S,), of the statistics of images.
        even_mean, even_scale: (M,), of the inputs that do not change when the images are swapped.
        odd_scale: (N,), of those that change their sign.
        even_weights: (M, H), odd_weights (N, H), bias (H,), and out (H,): the layers.
        slope: (1,), by which the output is mapped to a chance, from photographs left out of the fit.
        encoder_fingerprint: names the encoder and preprocessing that the features came from.

    Raises ModelError when the parts do not fit together or are not finite.
    """

    feature_mean: Vector
    feature_scale: Vector
    shared: Matrix
    apart: Matrix
    statistic_mean: Vector
    statistic_scale: Vector
    even_mean: Vector
    even_scale: Vector
    odd_scale: Vector
    even_weights: Matrix
    odd_weights: Matrix
    bias: Vector
    out: Vector
    slope: Vector
    encoder_fingerprint: str

    def __post_init__(self) -> None:
        vectors = (self.feature_mean, self.even_mean, self.odd_scale, self.bias)
        if any(each.ndim != 1 for each in vectors) or self.shared.ndim != 2 or self.apart.ndim != 2:
            raise ModelError("The direction is damaged: its parts differ in length.")
        length, even, odd, hidden = (len(each) for each in vectors)
        statistics = image_statistics.count()
        expected = {
            "feature_scale": (length,),
            "shared": (length, self.shared.shape[1]),
            "apart": (length, self.apart.shape[1]),
            "statistic_mean": (statistics,),
            "statistic_scale": (statistics,),
            "even_mean": (self.shared.shape[1] + statistics + pair_statistics.EVEN,),
            "even_scale": (even,),
            "odd_scale": (2 * (self.apart.shape[1] + statistics) + pair_statistics.ODD,),
            "even_weights": (even, hidden),
            "odd_weights": (odd, hidden),
            "out": (hidden,),
            "slope": (1,),
        }
        if any(getattr(self, name).shape != shape for name, shape in expected.items()):
            raise ModelError("The direction is damaged: its parts differ in length.")
        arrays = [getattr(self, each.name) for each in fields(self) if each.name != "encoder_fingerprint"]
        if not all(np.isfinite(values).all() for values in arrays):
            raise ModelError("The direction is damaged: it has values that are not finite numbers.")
        scales = (self.feature_scale, self.statistic_scale, self.even_scale, self.odd_scale)
        if not all((scale >= LEAST_SCALE).all() for scale in scales):
            raise ModelError(f"The direction is damaged: a scale is below {LEAST_SCALE:.0e}.")

    def inputs(self, a: Seen, b: Seen, odd: Values, even: Values) -> tuple[Vector, Vector]:
        """The network's even (M,) and odd (N,) inputs, not yet scaled; odd and even are `pair_statistics`."""
        left, right = (standardised(seen.features, self.feature_mean, self.feature_scale) for seen in (a, b))
        own_a, own_b = (standardised(seen.statistics, self.statistic_mean, self.statistic_scale) for seen in (a, b))
        told = np.concatenate([(right - left) @ self.apart, own_b - own_a])
        shared = np.concatenate([(left + right) @ self.shared / 2, (own_a + own_b) / 2, even])
        return shared, np.concatenate([told, told / (np.abs(told) + SMALL), odd])

    def better(self, a: Seen, b: Seen, odd: Values, even: Values) -> float:
        """In −1…1: the chance that b is better less the chance that a is; odd in their order."""
        shared, told = self.inputs(a, b, odd, even)
        shared = np.clip((shared - self.even_mean) / self.even_scale, -LIMIT, LIMIT)
        told = np.clip(told / self.odd_scale, -LIMIT, LIMIT)
        common, apart = shared @ self.even_weights + self.bias, told @ self.odd_weights
        evidence = float((np.tanh(common + apart) - np.tanh(common - apart)) @ self.out)
        return float(np.tanh(evidence * self.slope[0] / 2))


def standardised(values: Values, mean: Vector, scale: Vector) -> Vector:
    """Values less their mean in units of their spread, clipped at `LIMIT`."""
    clipped: Vector = np.clip((values.astype(np.float64) - mean) / scale, -LIMIT, LIMIT)
    return clipped
