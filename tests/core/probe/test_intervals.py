"""Prediction intervals."""

from __future__ import annotations

import numpy as np
import pytest

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.intervals import (
    HeldOut,
    Interval,
    calibrate,
    calibrate_sessions,
    least_held_out,
    measure_coverage,
)


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions 0…10 and scores whose error grows with them and leans to one side."""
    generator = np.random.default_rng(seed)
    prediction = generator.uniform(0, 10, count)
    return prediction, prediction + (0.2 + 0.1 * prediction) * (generator.exponential(1, count) - 1)


def held_out(rows: np.ndarray, prediction: np.ndarray, likely: np.ndarray | None = None) -> HeldOut:
    return HeldOut(rows, prediction, np.zeros(len(rows), dtype=np.int64) if likely is None else likely)


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
    assert measure_coverage([held_out(rows, drawn(30)[0])], drawn(30)[1], level=0.9) is None


def test_a_picture_that_was_held_out_often_says_no_more_than_once() -> None:
    residuals = np.random.default_rng(0).permutation(np.arange(-10.0, 29.0))
    rows = np.tile(np.arange(39), 100)
    often, once = calibrate(np.zeros(3900), residuals[rows], 0.9, rows), calibrate(np.zeros(39), residuals, 0.9)
    assert often is not None
    assert once is not None
    assert often.around(np.array(5.0)) == pytest.approx(once.around(np.array(5.0)))
    few = rows[rows < 18]
    assert calibrate(np.zeros(1800), residuals[few], 0.9, few) is None
    assert calibrate(np.zeros(3900), residuals[rows], 0.95, rows // 2) is None  # groups of two


@pytest.mark.parametrize(("level", "least"), [(0.8, 9), (0.9, 19), (0.95, 39), (0.99, 199)])
def test_an_interval_takes_as_many_pictures_as_are_named(level: float, least: int) -> None:
    assert least_held_out(level) == least
    assert calibrate(*drawn(least), level) is not None
    assert calibrate(*drawn(least - 1), level) is None


def test_predictions_without_error_give_an_interval_of_no_width() -> None:
    values = np.arange(100.0)
    interval = calibrate(values, values)
    assert interval is not None
    assert interval.around(np.array(3.0)) == (3.0, 3.0)


def test_coverage_is_counted_on_pictures_that_were_not_calibrated_on() -> None:
    prediction, mos = drawn(6000)
    splits = [
        held_out(rows, prediction[rows]) for rows in np.array_split(np.random.default_rng(0).permutation(6000), 5)
    ]
    found = measure_coverage(splits, mos, level=0.9)
    assert found is not None
    assert found.lowest < found.share < found.highest
    assert found.share == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("count", "is_enough"), [(4, False), (37, False), (38, True)])
def test_coverage_needs_as_many_groups_in_each_half_as_an_interval_takes(count: int, is_enough: bool) -> None:
    groups = [f"scene {number % count}" for number in range(400)]
    mos = np.array([float(number % count) for number in range(400)])
    splits = [held_out(np.arange(400), np.zeros(400))]
    assert (measure_coverage(splits, mos, groups=groups, level=0.9) is not None) == is_enough
    assert measure_coverage(splits, mos, level=0.9) is not None


def test_the_coverage_that_is_stated_is_that_of_intervals_calibrated_by_groups() -> None:
    generator = np.random.default_rng(0)
    stated, held = [], []
    for _ in range(40):
        scene = np.repeat(np.arange(60), 10)
        mos, new = (own[scene] + 0.3 * generator.normal(size=600) for own in generator.normal(size=(2, 60)))
        found = measure_coverage([held_out(np.arange(600), np.zeros(600))], mos, groups=[*map(str, scene)], level=0.9)
        interval = calibrate(np.zeros(600), mos, 0.9, scene)
        assert found is not None
        assert interval is not None
        low, high = interval.around(np.zeros(600))
        stated.append(found.share)
        held.append(((low <= new) & (new <= high)).mean())
    assert np.mean(stated) == pytest.approx(np.mean(held), abs=0.03)


@pytest.mark.parametrize(
    "changes",
    [{"level": 1.0}, {"spread": np.array([0.0])}, {"at": np.array([1.0, 2.0])}, {"below": float("nan")}],
)
def test_an_impossible_interval_is_refused(changes: dict[str, object]) -> None:
    parts = {"level": 0.9, "at": np.array([1.0]), "spread": np.array([1.0]), "below": 1.0, "above": 1.0}
    with pytest.raises(ModelError, match="interval is damaged"):
        Interval(**(parts | changes))  # type: ignore[arg-type]


def sessions_of_three(count: int = 12_000, seed: int = 0) -> tuple[HeldOut, np.ndarray, np.ndarray]:
    """Marks of three sessions, which agree to different degrees; some of the pictures look like another session."""
    rng = np.random.default_rng(seed)
    session = rng.integers(0, 3, count)
    position = rng.uniform(0, 1, count)
    truth = position + np.array([0.03, 0.2, 0.06])[session] * rng.normal(size=count)
    likely = np.where(rng.random(count) < 0.08, rng.integers(0, 3, count), session)
    return HeldOut(np.arange(count), position, likely), truth, session


def test_the_interval_holds_for_each_session_though_some_pictures_look_like_those_of_another() -> None:
    intervals = calibrate_sessions(*sessions_of_three())
    assert [interval.level for interval in intervals] == [0.9] * 3
    new, truth, session = sessions_of_three(seed=1)
    ends = np.array([interval.around(new.position) for interval in intervals])
    low, high = ends[new.likely, :, np.arange(len(truth))].T
    inside = (low <= truth) & (truth <= high)
    for number in range(3):
        assert inside[session == number].mean() == pytest.approx(0.9, abs=0.015)
    one = calibrate(new.position, truth)
    assert one is not None
    assert (high - low).mean() < np.subtract(*one.around(new.position)[::-1]).mean()


def test_coverage_is_told_for_each_session() -> None:
    split, truth, session = sessions_of_three()
    names = [("phone", "street", "studio")[number] for number in session]
    found = measure_coverage([split], truth, sessions=names)
    assert found is not None
    assert set(found.by_session) == {"street", "studio", "phone"}
    assert all(share == pytest.approx(0.9, abs=0.03) for share in found.by_session.values())
    assert not measure_coverage([split], truth).by_session  # type: ignore[union-attr]


def test_a_session_with_few_pictures_leaves_one_interval_for_all() -> None:
    split, truth, session = sessions_of_three(3000)
    session[:] = np.where(np.arange(3000) < 10, 2, session % 2)
    assert calibrate_sessions(split, truth, session) == ()
    found = measure_coverage([split], truth, sessions=[str(number) for number in session])
    assert found is not None
    assert found.share == pytest.approx(0.9, abs=0.03)


def test_a_stretched_interval_reaches_further_on_both_sides() -> None:
    interval = Interval(0.9, np.array([0.5]), np.array([0.1]), 1.0, 2.0)
    assert interval.around(np.array(0.5), 2.0) == (pytest.approx(0.3), pytest.approx(0.9))
