"""Defect probes: linear regression of the engine's severities, one for each kind of degradation (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.groups import GROUPS, MAX_SEVERITY, Group
from shamisa_cli.core.probe.scaling import LEAST_SCALE, standardised

FOLDS = 5
"""Number of folds of photographs by which accuracies are measured."""

MOST_OPERATORS = 3
"""Largest number of operators, of different groups, that degrade a version."""


@dataclass(frozen=True)
class DefectAccuracy:
    """Accuracy of the predicted severity of one group, on photographs left out of the fit.

    Attributes:
        count: number of versions degraded by an operator of the group.
        auc: 0…1, probability that such a version is predicted higher than one without (ties count half).
        auc_strong: the same for severities of 2 or more.
        srcc: rank correlation, −1…1, of predicted and applied severity over all versions; the latter is 0 where
            the group was not applied.
        mae: mean absolute error of the severity over all versions.
        clean: share, 0…1, of undistorted photographs with a predicted severity of 0.5 or more.
    """

    group: Group
    count: int
    auc: float
    auc_strong: float
    srcc: float
    mae: float
    clean: float


@dataclass(frozen=True)
class DefectProbe:
    """Several linear maps from features to severities, each for a kind of degradation.

    The severity of a group is that of its strongest kind, less the usual prediction for images without it.

    Attributes:
        groups: (K,) the group that each kind belongs to.
        weights: (K, D) for standardised features, bounded.
        bias: (K,).
        feature_mean, feature_scale: (D,) of the pictures fitted on.
        floor: (7,) subtracted severities, in the order of `GROUPS`; at least 0, below 4.
        encoder_fingerprint: names the encoder and preprocessing the features came from.
        clip: bound of standardised features on both sides; None for no bound.

    Raises ModelError when the parts do not fit together or are not finite.
    """

    groups: tuple[Group, ...]
    weights: Matrix
    bias: Vector
    feature_mean: Vector
    feature_scale: Vector
    floor: Vector
    encoder_fingerprint: str
    clip: float | None = None

    def __post_init__(self) -> None:
        kinds, length = len(self.groups), self.feature_mean.shape
        shapes = self.weights.shape == (kinds, *length) and self.bias.shape == (kinds,) and len(length) == 1
        if not shapes or self.feature_scale.shape != length or self.floor.shape != (len(GROUPS),):
            raise ModelError("The defect probe is damaged: its parts differ in length.")
        if set(self.groups) != set(GROUPS):
            raise ModelError(f"The defect probe is damaged: it must know the groups {', '.join(GROUPS)}.")
        parts = (self.weights, self.bias, self.feature_mean, self.feature_scale, self.floor)
        if not all(np.isfinite(values).all() for values in parts):
            raise ModelError("The defect probe is damaged: it has values that are not finite numbers.")
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise ModelError("The defect probe is damaged: the bound of its features must be above 0.")
        if not (
            (self.feature_scale >= LEAST_SCALE).all() and (self.floor >= 0).all() and (self.floor < MAX_SEVERITY).all()
        ):
            raise ModelError("The defect probe is damaged: a scale or a floor is out of its range.")

    def severities(self, features: AnyFeatures) -> Matrix:
        """(n, 7) severities 0…4, in the order of `GROUPS`, of features (n, D)."""
        if features.ndim != 2 or features.shape[1:] != self.feature_mean.shape:
            raise ModelError(f"The defect probe reads {len(self.feature_mean)} features, and got {features.shape}.")
        # Row by row, with NumPy's own sums: a result must not depend on the other images of a batch.
        read = (standardised(row, self.feature_mean, self.feature_scale, self.clip) for row in features)
        rows = [self.bias + np.einsum("kd,d->k", self.weights, row) for row in read]
        return above_floor(strongest(np.array(rows).reshape(-1, len(self.groups)), self.groups), self.floor)


def strongest(estimates: Matrix, groups: Sequence[Group]) -> Matrix:
    """(n, K) estimates by kind → (n, 7): that of the strongest kind of each group."""
    of_group = [np.array([group == own for own in groups]) for group in GROUPS]
    return np.stack([estimates[:, own].max(axis=1) for own in of_group], axis=1)


def above_floor(readings: Matrix, floor: Vector) -> Matrix:
    """Severities 0…4 from predictions (n, 7): values up to the floor become 0, and 4 stays 4."""
    return np.clip((readings - floor) * MAX_SEVERITY / (MAX_SEVERITY - floor), 0, MAX_SEVERITY)
