"""Prediction intervals."""

from __future__ import annotations

import numpy as np
import pytest

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.intervals import Interval, calibrate, measure_coverage


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions 0…10 and scores whose error grows with them and leans to one side."""
    generator = np.random.default_rng(seed)
    prediction = generator.uniform(0, 10, count)
    return prediction, prediction + (0.2 + 0.1 * prediction) * (generator.exponential(1, count) - 1)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_new_pictures_fall_inside_as_often_as_was_asked_also_where_errors_are_large(level: float) -> None:
    interval = calibrate(*drawn(4000), level)
    assert interval is not None
    prediction, mos = drawn(20_000, seed=1)
    low, high = interval.around(prediction)
    inside = (low <= mos) & (mos <= high)
    assert inside.mean() == pytest.approx(level, abs=0.015)
    for part in (prediction < 3, prediction > 7):
        assert inside[part].mean() == pytest.approx(level, abs=0.03)
    assert (high - low)[prediction > 7].mean() > 1.5 * (high - low)[prediction < 3].mean()


def test_the_ends_are_the_residuals_of_the_ranks_that_theory_asks_for() -> None:
    residuals = np.random.default_rng(0).permutation(np.arange(-10.0, 29.0))  # 39: ranks 38 of 39 on either side
    interval = calibrate(np.zeros(39), residuals, 0.9)
    assert interval is not None
    low, high = interval.around(np.array(5.0))
    assert (low, high) == (pytest.approx(5 - 9), pytest.approx(5 + 27))


def test_too_few_pictures_give_no_interval() -> None:
    assert calibrate(*drawn(18), 0.9) is None
    assert calibrate(*drawn(19), 0.9) is not None
    rows = np.arange(30)
    assert measure_coverage([(rows, drawn(30)[0])], drawn(30)[1], level=0.9) is None


def test_predictions_without_error_give_an_interval_of_no_width() -> None:
    values = np.arange(100.0)
    interval = calibrate(values, values)
    assert interval is not None
    assert interval.around(np.array(3.0)) == (3.0, 3.0)


def test_coverage_is_counted_on_pictures_that_were_not_calibrated_on() -> None:
    prediction, mos = drawn(6000)
    splits = [(rows, prediction[rows]) for rows in np.array_split(np.random.default_rng(0).permutation(6000), 5)]
    found = measure_coverage(splits, mos, level=0.9)
    assert found is not None
    assert found.lowest < found.share < found.highest
    assert found.share == pytest.approx(0.9, abs=0.02)


def test_a_group_is_never_in_both_halves() -> None:
    # Four groups that err by a constant of their own: a half that holds two of them says nothing of the others.
    groups = [f"scene {number % 4}" for number in range(400)]
    mos = np.array([float(number % 4) * 100 for number in range(400)])
    splits = [(np.arange(400), np.zeros(400))]
    together = measure_coverage(splits, mos, level=0.9)
    apart = measure_coverage(splits, mos, groups=groups, level=0.9)
    assert together is not None
    assert apart is not None
    assert together.share > 0.9 > apart.share


@pytest.mark.parametrize(
    "changes",
    [{"level": 1.0}, {"spread": np.array([0.0])}, {"at": np.array([1.0, 2.0])}, {"below": float("nan")}],
)
def test_an_impossible_interval_is_refused(changes: dict[str, object]) -> None:
    parts = {"level": 0.9, "at": np.array([1.0]), "spread": np.array([1.0]), "below": 1.0, "above": 1.0}
    with pytest.raises(ModelError, match="interval is damaged"):
        Interval(**(parts | changes))  # type: ignore[arg-type]
