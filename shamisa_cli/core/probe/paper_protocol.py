"""The paper's test protocol: every crop is a row to fit, and an image is predicted by the mean over its crops.

SHAMISA (arXiv 2603.13669), section on evaluation: a linear regressor on a frozen encoder, one penalty for the data set,
medians over random splits. `core.probe.protocol` is the project's own protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.arrays import AnyFeatures, Matrix, Vector
from shamisa_cli.core.encoder.spec import PAPER_FEATURES, EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.metrics import rmse
from shamisa_cli.core.probe.penalty import smallest_error
from shamisa_cli.core.probe.protocol import (
    SPLITS,
    ProtocolResult,
    ScaleOf,
    Split,
    SplitResult,
    agreements,
    plain_scale,
    random_splits,
)
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.ridge_path import RidgePath, ridge_path
from shamisa_cli.core.probe.same_pictures import join_groups, same_pictures
from shamisa_cli.core.probe.scale import MosScale

Rows = AnyFeatures
"""(n, R, D): the features of the R crops of each of n pictures."""

ALPHAS = np.logspace(-3, 3, 61)
"""Candidate penalties for features that are not standardised: ten per decade."""


def require_paper_reading(config: EncoderConfig, name: str) -> None:
    """Raise ModelError, with instructions, unless an encoder has the features of the paper's protocol.

    Args:
        config: of the encoder.
        name: name or path of its model.
    """
    if config.features != PAPER_FEATURES or config.preprocessing.view_size is not None:
        raise ModelError(
            f"The paper's protocol reads five crops of {PAPER_FEATURES.crop_size} pixels of a picture at its native "
            f"size and five of its half-size copy, at the last stage; {name} reads pictures differently.",
            remedy="derive-for-paper",
            model=name,
        )


def run_paper_protocol(
    rows: Rows,
    mos: Vector,
    *,
    scale_of: ScaleOf = plain_scale,
    groups: Sequence[str] | None = None,
    subsets: Sequence[str] | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    logistic: bool | None = None,
    advance: Callable[[int], None] = lambda _splits: None,
) -> ProtocolResult:
    """Fit on the crops of 70 % of the pictures, choose the penalty on 10 %, report on 20 %, for several random splits.

    Features are centred and not standardised. One penalty serves all splits: the one with the smallest median, over
    the splits, of the error on the validation pictures; of equals, the smallest.

    Args:
        rows: (n, R, D), the crops of each picture.
        mos: (n,) human scores.
        scale_of: makes, from the scores of the part fitted on, the scale whose positions are fitted; the paper's is
            linear, and fits the scores themselves.
        groups: (n,) names, the reference photographs of a synthetic set; each is in one part of a split only,
            and so is a picture that has several rows.
        subsets: (n,) names; the test part is also reported by subset.
        splits, seed: as for `random_splits`.
        logistic: whether PLCC and RMSE follow a 4-parameter logistic; None: if groups are named.
        advance: called with 1 after each split.
    Raises SettingError as `random_splits` does.
    """
    tried = []
    together = join_groups(same_pictures(rows), groups)
    for split in random_splits(len(mos), splits=splits, seed=seed, groups=together):
        tried.append(_try_alphas(rows, mos, split, scale_of(mos[split.train])))
        advance(1)
    medians = np.median([each.errors for each in tried], axis=0)
    alpha = smallest_error(ALPHAS, medians)
    chosen = int(np.flatnonzero(alpha == ALPHAS)[0])

    def report(each: _Tried) -> SplitResult:
        test, position = each.split.test, each.positions[:, chosen]
        prediction = each.scale.mos(position)
        names = None if subsets is None else [subsets[row] for row in test]
        mapped = logistic if logistic is not None else groups is not None
        overall, by_subset = agreements(prediction, mos[test], subsets=names, logistic=mapped)
        return SplitResult(alpha, overall, by_subset, test, position, prediction)

    return ProtocolResult(tuple(report(each) for each in tried))


def fit_crops(rows: Rows, positions: Vector, alpha: float) -> Ridge:
    """Fit the final probe on all crops (n, R, D), each with its image's position (n,) on the scale."""
    return _crop_path(rows, positions).at(alpha)


def predict_pictures(ridge: Ridge, rows: Rows) -> Vector:
    """Predict positions (n,) of images: the mean over their crops (n, R, D)."""
    positions: Vector = ridge.predict(rows.reshape(-1, rows.shape[2])).reshape(rows.shape[:2]).mean(axis=1)
    return positions


@dataclass(frozen=True)
class _Tried:
    """One split under every penalty: errors (A,) on the validation part, positions (m, A) of the test part."""

    split: Split
    scale: MosScale
    errors: Vector
    positions: Matrix


def _try_alphas(rows: Rows, mos: Vector, split: Split, scale: MosScale) -> _Tried:
    path = _crop_path(rows[split.train], scale.position(mos[split.train]))
    validation = _mean_predictions(path, rows[split.validation])
    truth = scale.position(mos[split.validation])
    errors = np.array([rmse(prediction, truth) for prediction in validation.T])
    return _Tried(split, scale, errors, _mean_predictions(path, rows[split.test]))


def _crop_path(rows: Rows, positions: Vector) -> RidgePath:
    pictures, crops, length = rows.shape
    return ridge_path(rows.reshape(pictures * crops, length), np.repeat(positions, crops), standardise=False)


def _mean_predictions(path: RidgePath, rows: Rows) -> Matrix:
    """(n, A): the mean over the crops of each picture, under each penalty."""
    pictures, crops, length = rows.shape
    predictions = path.predictions(rows.reshape(pictures * crops, length), ALPHAS)
    means: Matrix = predictions.reshape(pictures, crops, -1).mean(axis=1)
    return means
