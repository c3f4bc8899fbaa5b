"""Fit of a defect probe to degraded photographs, and its accuracy on photographs left out of the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.distortions.registry import BY_GROUP
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.groups import GROUPS, MAX_SEVERITY, Group
from shamisa_cli.core.probe.defects import FOLDS, DefectAccuracy, DefectProbe, above_floor, strongest
from shamisa_cli.core.probe.metrics import srcc
from shamisa_cli.core.probe.ridge_path import RidgePath, ridge_path
from shamisa_cli.core.training.probes.degraded import DegradedPhotos

SEPARATE_KINDS: tuple[frozenset[str], ...] = (
    frozenset({"brighten", "mean shift up"}),
    frozenset({"HSV saturation"}),
    frozenset({"Lab saturation"}),
    frozenset({"over-sharpen"}),
    frozenset({"contrast up"}),
    frozenset({"jitter"}),
    frozenset({"moved patches"}),
    frozenset({"pixelate"}),
    frozenset({"quantise"}),
    frozenset({"colour blocks"}),
)
"""Operators that change features in a different direction than the rest of their group, so need separate maps."""

FLOOR_QUANTILE = 0.9
ALPHAS_PER_FEATURE = np.logspace(-1, 1, 5)
"""Candidate penalties, as multiples of the feature length, as in `core/probe/ridge_path.py`."""


def defect_kinds() -> list[tuple[Group, frozenset[str]]]:
    """Group and operators of each kind: the separate ones, and for every group the rest."""
    found: list[tuple[Group, frozenset[str]]] = []
    for group in GROUPS:
        names = frozenset(operator.name for operator in BY_GROUP[group])
        own = [names & apart for apart in SEPARATE_KINDS if names & apart]
        rest = names.difference(*own)
        found += [(group, part) for part in (rest, *own) if part]
    return found


def fit_defects(
    pictures: DegradedPhotos,
    encoder_fingerprint: str,
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _folds: None,
) -> tuple[DefectProbe, tuple[DefectAccuracy, ...]]:
    """Fit ridge regressions of each kind's severity, which is 0 where it was not applied.

    Penalty, floor and accuracies come from five-fold cross-validation over photographs: the floor is the 90 % quantile
    of predictions for versions without the group, the penalty has the least squared error of the severities above it.
    The probe itself is then fitted on all images.

    Args:
        pictures: from `degrade_and_embed`, of at least five photographs.
        encoder_fingerprint: fingerprint of the encoder that embedded them.
        seed: seed of the folds.
        advance: called with 1 after each fold, and after the last fit.

    Raises:
        SettingError: fewer photographs than folds.
    """
    groups = tuple(group for group, _ in defect_kinds())
    targets = np.stack([np.nan_to_num(pictures.of(operators)) for _, operators in defect_kinds()], axis=1)
    truth = np.stack([pictures.of([operator.name for operator in BY_GROUP[group]]) for group in GROUPS], axis=1)
    alphas = ALPHAS_PER_FEATURE * pictures.features.shape[1]

    readings = np.empty((len(alphas), len(pictures), len(GROUPS)))
    for inside in _folds(pictures.photo, seed):
        path = ridge_path(pictures.features[~inside], targets[~inside, 0])
        estimates = _estimates(path, targets[~inside], pictures.features[inside], alphas)
        for place, estimate in enumerate(estimates):
            readings[place, inside] = strongest(estimate, groups)
        advance(1)
    floors = [_floors(reading, truth) for reading in readings]
    severities = [above_floor(reading, floor) for reading, floor in zip(readings, floors, strict=True)]
    # Not by rank correlation: a large penalty may order severities well and read all of them too low.
    best = int(np.argmin([np.square(severity - np.nan_to_num(truth)).mean() for severity in severities]))

    path = ridge_path(pictures.features, targets[:, 0])
    fits = [path.towards(target).at(float(alphas[best])) for target in targets.T]
    advance(1)
    probe = DefectProbe(
        groups=groups,
        weights=np.stack([fit.weights for fit in fits]),
        bias=np.array([fit.bias for fit in fits]),
        feature_mean=path.scaling.mean,
        feature_scale=path.scaling.scale,
        floor=floors[best],
        encoder_fingerprint=encoder_fingerprint,
        clip=path.scaling.clip,
    )
    return probe, _accuracies(severities[best], truth)


def _folds(photo: NDArray[np.int64], seed: int) -> Iterator[NDArray[np.bool_]]:
    photos = np.unique(photo)
    if len(photos) < FOLDS:
        raise SettingError(
            f"{len(photos)} different photographs can be read, and defects need at least {FOLDS}; name more."
        )
    for part in np.array_split(np.random.default_rng(seed).permutation(photos), FOLDS):
        yield np.isin(photo, part)


def _estimates(path: RidgePath, targets: Matrix, features: AnyFeatures, alphas: Vector) -> Matrix:
    """(A, n, K): held-out predictions of each kind's severity under each penalty."""
    return np.stack([path.towards(target).predictions(features, alphas).T for target in targets.T], axis=2)


def _floors(readings: Matrix, truth: Matrix) -> Vector:
    """(7,) floors of predictions (n, 7), from the versions without each group: nan in the severities (n, 7)."""
    return np.array([_floor(reading[np.isnan(own)]) for reading, own in zip(readings.T, truth.T, strict=True)])


def _floor(readings: Vector) -> float:
    return float(np.clip(np.quantile(readings, FLOOR_QUANTILE), 0, MAX_SEVERITY / 2)) if len(readings) else 0.0


def _accuracies(severities: Matrix, truth: Matrix) -> tuple[DefectAccuracy, ...]:
    untouched = np.all(np.isnan(truth), axis=1)
    return tuple(
        _accuracy(group, severities[:, place], truth[:, place], untouched) for place, group in enumerate(GROUPS)
    )


def _accuracy(group: Group, severity: Vector, truth: Vector, untouched: NDArray[np.bool_]) -> DefectAccuracy:
    absent = np.isnan(truth)
    applied = np.nan_to_num(truth)
    return DefectAccuracy(
        group=group,
        count=int((~absent).sum()),
        auc=_auc(severity[~absent], severity[absent]),
        auc_strong=_auc(severity[applied >= MAX_SEVERITY / 2], severity[absent]),
        srcc=srcc(severity, applied),
        mae=float(np.abs(severity - applied).mean()),
        clean=float((severity[untouched] >= 0.5).mean()),
    )


def _auc(present: Vector, absent: Vector) -> float:
    from scipy.stats import rankdata

    if not len(present) or not len(absent):
        return float("nan")
    ranks = rankdata(np.concatenate([present, absent]))[: len(present)]
    return float((ranks.sum() / len(present) - (len(present) + 1) / 2) / len(absent))
