"""Measures of agreement of predictions with human scores: correlations, RMSE, logistic mapping, intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Matrix, Vector

CONFIDENCE = 0.95
RESAMPLES = 1000
SMALL_SPREAD = 0.2
"""Predictions whose spread is a smaller share of that of the scores say nearly the same of every picture."""
REVERSED = -0.3
"""Below this rank correlation, people may well have rated impairment, where lower is better."""
_VALUES_AT_ONCE = 500_000
"""Of the samples that a bootstrap draws: some rows are computed together, in little memory."""
_ROUNDING = 1e-12
"""A spread below this share of the largest value is rounding error; the vector then counts as constant."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of predictions with human scores.

    Attributes:
        srcc: Spearman's rank correlation, −1…1.
        plcc: Pearson's linear correlation, −1…1.
        krcc: Kendall's rank correlation (tau-b, which allows for ties), −1…1.
        rmse: root mean squared error in units of the human scores, ≥ 0.
        count: number of pictures behind the figures.

    A correlation is nan where it is undefined: fewer than two pictures, or all predictions or all
    scores equal. The error is nan only without pictures.
    """

    srcc: float
    plcc: float
    krcc: float
    rmse: float
    count: int


@dataclass(frozen=True)
class AgreementIntervals:
    """The lower and upper end of an interval for each figure of an `Agreement`; nan where undefined."""

    srcc: tuple[float, float]
    plcc: tuple[float, float]
    krcc: tuple[float, float]
    rmse: tuple[float, float]


def srcc(prediction: Vector, mos: Vector) -> float:
    """Spearman's rank correlation of two vectors of shape (n,), −1…1; nan where undefined."""
    from scipy.stats import rankdata

    # As spearmanr, without the significance test that takes most of its time in a bootstrap.
    return _correlation(lambda x, y: np.corrcoef(rankdata(x), rankdata(y))[0, 1], prediction, mos)


def plcc(prediction: Vector, mos: Vector) -> float:
    """Pearson's linear correlation of two vectors of shape (n,), −1…1; nan where undefined."""
    return _correlation(lambda x, y: np.corrcoef(x, y)[0, 1], prediction, mos)


def krcc(prediction: Vector, mos: Vector) -> float:
    """Kendall's rank correlation (tau-b) of two vectors of shape (n,), −1…1; nan where undefined."""
    from scipy.stats import kendalltau

    # The exact significance, which nobody asks for, takes half of the time of few pictures; two have no other.
    method = "asymptotic" if len(mos) > 2 else "auto"
    return _correlation(lambda x, y: kendalltau(x, y, method=method).statistic, prediction, mos)


def rmse(prediction: Vector, mos: Vector) -> float:
    """Root mean squared difference of two vectors of shape (n,), in their units; nan when they are empty."""
    _check(prediction, mos)
    if len(mos) == 0:
        return float("nan")
    return float(np.sqrt(np.mean(np.square(prediction - mos))))


def relative_spread(prediction: Vector, mos: Vector) -> float:
    """Standard deviation of predictions (n,) over that of the scores (n,) in the same units; nan if those are equal."""
    _check(prediction, mos)
    if len(mos) < 2 or _is_constant(mos):
        return float("nan")
    return float(prediction.std() / mos.std())


def agreement(prediction: Vector, mos: Vector, mapped: Vector | None = None) -> Agreement:
    """All four figures for two vectors of shape (n,).

    `mapped` (n,), where given, stands for the predictions in PLCC and RMSE: see `logistic_mapping`. Where it falls as
    the predictions rise, PLCC is negative, as the rank correlations are.
    Raises ValueError if lengths differ or a value is not finite.
    """
    for vector in (prediction, mapped):
        if vector is not None:
            _check(vector, mos)
    if len(mos) == 0:
        return Agreement(srcc=np.nan, plcc=np.nan, krcc=np.nan, rmse=np.nan, count=0)
    figures = _figures_of_rows(prediction[None], mos[None], None if mapped is None else mapped[None])
    srcc, plcc, krcc, rmse = figures[0].tolist()
    return Agreement(srcc=srcc, plcc=plcc, krcc=krcc, rmse=rmse, count=len(mos))


def logistic_mapping(prediction: Vector, mos: Vector) -> Vector:
    """Map predictions to the scale of the human scores by the VQEG's 4-parameter logistic.

    f(x) = b2 + (b1 − b2) / (1 + exp(−(x − b3) / |b4|)), fitted by least squares (VQEG, "Final report on
    the validation of objective models of video quality assessment", phase I, 2000), as is usual before
    PLCC and RMSE are reported. A straight line takes its place where it leaves a smaller error, and where fewer
    than five pictures would determine four parameters. Units and direction of either vector make no difference.

    Args: two vectors of shape (n,); n = 0 gives an empty vector.
    Returns: (n,) in units of `mos`; the mean of `mos` everywhere when the predictions are constant.
        A falling relation is mapped as such, and `agreement` gives PLCC its sign.
    """
    _check(prediction, mos)
    if len(mos) == 0:
        return np.empty(0)
    if _is_constant(prediction):
        return np.full(len(mos), mos.mean())
    standard = (prediction - prediction.mean()) / prediction.std()
    line = np.polyval(np.polyfit(standard, mos, 1), standard)
    curve = _logistic_fit(standard, mos) if len(mos) >= 5 and not _is_constant(mos) else None
    return line if curve is None or rmse(line, mos) <= rmse(curve, mos) else curve


def bootstrap_intervals(
    prediction: Vector,
    mos: Vector,
    mapped: Vector | None = None,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> AgreementIntervals:
    """Percentile bootstrap over images: intervals of the figures for other samples of images.

    Args:
        prediction, mos, mapped: vectors of shape (n,), as `agreement` takes them; a mapping is not fitted anew.
        resamples: number of samples of n images that are drawn, with replacement.
        confidence: share of the resamples inside the interval, 0…1.
        seed: the same seed gives the same intervals.
    Returns: nan for a figure that is undefined in half of the resamples or more.
    """
    _check(prediction, mos)
    if len(mos) == 0:
        return AgreementIntervals(*[(float("nan"), float("nan"))] * 4)
    generator = np.random.default_rng(seed)
    rows = max(1, _VALUES_AT_ONCE // len(mos))
    drawn = []
    for first in range(0, resamples, rows):
        sample = generator.integers(len(mos), size=(min(rows, resamples - first), len(mos)))
        drawn.append(_figures_of_rows(prediction[sample], mos[sample], None if mapped is None else mapped[sample]))
    ends = [_percentile_interval(column, confidence) for column in np.concatenate(drawn).T]
    return AgreementIntervals(*ends)


def _figures_of_rows(prediction: Matrix, mos: Matrix, mapped: Matrix | None) -> Matrix:
    """The four figures of `agreement` for each row of matrices of shape (rows, n), as (rows, 4)."""
    from scipy.stats import rankdata

    values = prediction if mapped is None else mapped
    linear = _row_correlations(values, mos)
    if mapped is not None:
        linear = np.where(_row_correlations(prediction, mapped) < 0, -linear, linear)
    figures = (
        _row_correlations(rankdata(prediction, axis=1), rankdata(mos, axis=1)),
        linear,
        np.array([krcc(*row) for row in zip(prediction, mos, strict=True)]),
        np.sqrt(np.mean(np.square(values - mos), axis=1)),
    )
    return np.stack(figures, axis=1)


def _row_correlations(first: Matrix, second: Matrix) -> Vector:
    """Pearson's correlation of the rows of two matrices (rows, n); nan where a row is constant."""
    centred = [values - values.mean(axis=1, keepdims=True) for values in (first, second)]
    spread = np.sqrt(np.prod([np.square(values).sum(axis=1) for values in centred], axis=0))
    is_constant = _are_constant(first) | _are_constant(second)
    return np.where(is_constant, np.nan, (centred[0] * centred[1]).sum(axis=1) / np.where(is_constant, 1, spread))


def _percentile_interval(values: Vector, confidence: float) -> tuple[float, float]:
    defined = values[np.isfinite(values)]
    if 2 * len(defined) <= len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _logistic_fit(standard: Vector, mos: Vector) -> Vector:
    """The curve's values (n,) at standardised predictions, at the best parameters that were found."""
    from scipy.optimize import least_squares
    from scipy.special import expit

    rising = standard if standard @ (mos - mos.mean()) >= 0 else -standard
    wanted = (mos - mos.mean()) / mos.std()

    def steps(parameters: Vector) -> tuple[Vector, Vector, float]:
        _, _, middle, width = parameters
        slope = max(abs(width), 1e-6)
        return np.asarray(expit((rising - middle) / slope), np.float64), (rising - middle) / slope, slope

    def curve(parameters: Vector) -> Vector:
        top, bottom = parameters[:2]
        return np.asarray(bottom + (top - bottom) * steps(parameters)[0], np.float64)

    def derivatives(parameters: Vector) -> Vector:
        top, bottom, _, width = parameters
        share, place, slope = steps(parameters)
        by_middle = -(top - bottom) * share * (1 - share) / slope
        by_width = by_middle * place * (np.sign(width) if slope == abs(width) else 0)
        return np.stack([share, 1 - share, by_middle, by_width], axis=1)

    start = (wanted.max(), wanted.min(), 0.0, 0.5)
    # With derivatives that the solver estimates itself, the last bits differ from run to run.
    found = least_squares(
        lambda parameters: curve(parameters) - wanted, start, jac=derivatives, method="lm", max_nfev=2000
    )
    return np.asarray(mos.mean() + mos.std() * curve(found.x), np.float64)


def _correlation(statistic: Callable[[Vector, Vector], float], prediction: Vector, mos: Vector) -> float:
    _check(prediction, mos)
    if len(mos) < 2 or _is_constant(prediction) or _is_constant(mos):
        return float("nan")
    return float(statistic(prediction, mos))


def _is_constant(values: Vector) -> bool:
    return bool(_are_constant(values[None])[0])


def _are_constant(rows: Matrix) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(rows, axis=1) <= _ROUNDING * np.abs(rows).max(axis=1))


def _check(prediction: Vector, mos: Vector) -> None:
    if prediction.ndim != 1 or prediction.shape != mos.shape:
        raise ValueError(f"Predictions {prediction.shape} and scores {mos.shape} must be vectors of one length.")
    if not (np.isfinite(prediction).all() and np.isfinite(mos).all()):
        raise ValueError("Predictions and scores must be finite numbers.")
