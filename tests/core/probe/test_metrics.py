"""The figures of agreement, held against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.probe.metrics import agreement, bootstrap_intervals, krcc, logistic_mapping, plcc, rmse, srcc


def average_ranks(values):
    """Rank 1 for the smallest; equal values share the mean of their places."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def correlation(x, y):
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    shared = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return shared / math.sqrt(sum((a - mean_x) ** 2 for a in x) * sum((b - mean_y) ** 2 for b in y))


def tau_b(x, y):
    agree = disagree = tied_x = tied_y = 0
    for (a, b), (c, d) in itertools.combinations(zip(x, y, strict=True), 2):
        product = (a - c) * (b - d)
        agree += product > 0
        disagree += product < 0
        tied_x += a == c
        tied_y += b == d
    pairs = len(x) * (len(x) - 1) / 2
    return (agree - disagree) / math.sqrt((pairs - tied_x) * (pairs - tied_y))


ratings = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30)


@given(ratings)
def test_correlations_follow_their_definitions_also_with_ties(pairs):
    x, y = (list(column) for column in zip(*pairs, strict=True))
    prediction, mos = np.array(x, float), np.array(y, float)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert all(math.isnan(figure(prediction, mos)) for figure in (srcc, plcc, krcc))
        return
    assert srcc(prediction, mos) == pytest.approx(correlation(average_ranks(x), average_ranks(y)), abs=1e-12)
    assert plcc(prediction, mos) == pytest.approx(correlation(x, y), abs=1e-12)
    assert krcc(prediction, mos) == pytest.approx(tau_b(x, y), abs=1e-12)


def test_the_error_is_in_units_of_the_human_scores():
    assert rmse(np.array([1.0, 2.0, 5.0]), np.array([1.0, 4.0, 4.0])) == pytest.approx(math.sqrt(5 / 3))


def test_without_pictures_everything_is_undefined():
    nothing = agreement(np.empty(0), np.empty(0))
    assert nothing.count == 0
    assert all(math.isnan(value) for value in (nothing.srcc, nothing.plcc, nothing.krcc, nothing.rmse))


def test_predictions_that_differ_by_rounding_alone_count_as_constant():
    noise = 0.3 + np.arange(10) * 1e-17
    assert math.isnan(plcc(noise, np.arange(10.0)))


def test_a_mapped_prediction_serves_the_linear_figures_and_the_raw_one_the_ranks():
    prediction, mos = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 4.0, 9.0, 16.0])
    result = agreement(prediction, mos, mapped=np.sqrt(mos) - 3)
    assert (result.srcc, result.krcc) == pytest.approx((1, 1))
    assert result.plcc == pytest.approx(np.corrcoef(prediction, mos)[0, 1])
    assert result.rmse == pytest.approx(rmse(np.sqrt(mos) - 3, mos))


@settings(max_examples=25)
@given(st.lists(st.integers(-99, 99), min_size=8, max_size=40, unique=True))
def test_all_correlations_have_one_sign_where_ratings_count_impairment(values):
    mos = np.array(values, dtype=float)
    prediction = -np.cbrt(mos)
    result = agreement(prediction, mos, logistic_mapping(prediction, mos))
    assert result.srcc == pytest.approx(-1)
    assert result.plcc < -0.8
    assert result.krcc == pytest.approx(-1)


@pytest.mark.parametrize(
    ("prediction", "mos"),
    [(np.zeros(3), np.zeros(4)), (np.array([1.0, np.nan]), np.zeros(2)), (np.zeros((2, 1)), np.zeros((2, 1)))],
)
def test_vectors_that_cannot_be_compared_are_refused(prediction, mos):
    with pytest.raises(ValueError, match=r"finite|length"):
        agreement(prediction, mos)


def test_the_logistic_mapping_recovers_a_logistic_relation():
    x = np.linspace(-40, 70, 60)
    mos = 20 + (85 - 20) / (1 + np.exp(-(x - 12) / 9))
    np.testing.assert_allclose(logistic_mapping(x, mos), mos, atol=1e-3)


def test_the_logistic_mapping_never_does_worse_than_a_straight_line():
    generator = np.random.default_rng(3)
    for _ in range(20):
        x, mos = generator.standard_normal((2, 30))
        line = np.polyval(np.polyfit(x, mos, 1), x)
        assert rmse(logistic_mapping(x, mos), mos) <= rmse(line, mos) + 1e-12


def test_a_falling_relation_is_mapped_as_such():
    x = np.linspace(0, 1, 30)
    assert plcc(logistic_mapping(x, 3 - 2 * x), 3 - 2 * x) == pytest.approx(1, abs=1e-6)


def test_constant_predictions_are_mapped_to_the_mean_score():
    np.testing.assert_array_equal(logistic_mapping(np.ones(6), np.arange(6.0)), np.full(6, 2.5))


def test_four_pictures_get_a_straight_line():
    x, mos = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0, 5.0])
    np.testing.assert_allclose(logistic_mapping(x, mos), np.polyval(np.polyfit(x, mos, 1), x), atol=1e-12)


def test_intervals_hold_the_figure_repeat_by_seed_and_narrow_with_more_pictures():
    generator = np.random.default_rng(0)
    mos = generator.standard_normal(400)
    prediction = mos + generator.standard_normal(400)
    few = bootstrap_intervals(prediction[:60], mos[:60], resamples=200, seed=1)
    many = bootstrap_intervals(prediction, mos, resamples=200, seed=1)
    assert few == bootstrap_intervals(prediction[:60], mos[:60], resamples=200, seed=1)
    assert few != bootstrap_intervals(prediction[:60], mos[:60], resamples=200, seed=2)
    for figure, name in ((srcc, "srcc"), (plcc, "plcc"), (krcc, "krcc"), (rmse, "rmse")):
        low, high = getattr(many, name)
        assert low < figure(prediction, mos) < high
        assert high - low < np.ptp(getattr(few, name))


def test_an_interval_of_the_error_agrees_with_the_theory_of_the_mean():
    errors = np.random.default_rng(5).choice([1.0, 3.0], size=500)
    low, high = bootstrap_intervals(errors, np.zeros(500), resamples=1000).rmse
    square = errors**2
    half = 1.96 * square.std() / math.sqrt(500)
    assert (low, high) == pytest.approx((math.sqrt(square.mean() - half), math.sqrt(square.mean() + half)), rel=0.02)


def test_an_interval_of_an_undefined_figure_is_undefined():
    intervals = bootstrap_intervals(np.ones(12), np.arange(12.0), resamples=20)
    assert all(math.isnan(end) for end in (*intervals.srcc, *intervals.plcc, *intervals.krcc))
    assert all(math.isfinite(end) for end in intervals.rmse)


@pytest.mark.parametrize("count", [8, 60])
def test_units_and_direction_make_no_difference_to_plcc_after_the_mapping(count: int):
    generator = np.random.default_rng(count)
    for _ in range(20):
        prediction = generator.normal(size=count)
        mos = np.tanh(2 * prediction - 1) + 0.2 * generator.normal(size=count)
        expected = plcc(logistic_mapping(prediction, mos), mos)
        for x, y in ((-prediction, mos), (prediction, 10 - 2 * mos), (7 * prediction - 3, 100 * mos)):
            assert abs(plcc(logistic_mapping(x, y), y)) == pytest.approx(expected, abs=1e-4)


def test_a_curve_that_least_squares_can_only_approach_is_still_better_than_a_line():
    prediction = np.array([3.889, 3.989, 3.906, 3.758, 2.77])
    mos = np.array([3.0, 4.95, 3.85, 2.8, 1.8])
    assert plcc(prediction, mos) == pytest.approx(0.79, abs=0.01)
    assert plcc(logistic_mapping(prediction, mos), mos) > 0.95
