"""The even scale: what a regressor is fitted on, and the way back to human scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import beta, spearmanr

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.scale import MosScale, even_scale, linear_scale

human_scores = arrays(np.float64, st.integers(2, 200), elements=st.floats(1, 5).map(lambda value: round(value, 3)))


def test_crowded_scores_are_spread_like_beta_3_3() -> None:
    crowded = 1 - np.random.default_rng(0).exponential(0.05, 3000).clip(0, 1)
    positions = even_scale(crowded, 0, 1).position(crowded)
    np.testing.assert_allclose(np.quantile(positions, [0.1, 0.5, 0.9]), beta.ppf([0.1, 0.5, 0.9], 3, 3), atol=0.01)


@given(human_scores)
def test_order_is_kept_and_the_way_back_leads_home(scores: np.ndarray) -> None:
    scale = even_scale(scores, 0, 6)
    positions = scale.position(scores)
    assert ((positions > 0) & (positions < 1)).all()
    np.testing.assert_allclose(scale.mos(positions), scores, atol=1e-9)
    if len(np.unique(scores)) > 1:
        assert spearmanr(positions, scores).statistic == pytest.approx(1)


@given(human_scores)
def test_where_lower_is_better_the_best_pictures_stand_highest(scores: np.ndarray) -> None:
    scale = even_scale(scores, worst=6, best=0)
    assert scale.lower_is_better
    np.testing.assert_allclose(
        scale.position(scores), 1 - even_scale(scores, worst=0, best=6).position(scores), atol=1e-9
    )


def test_equal_scores_share_the_middle_of_their_ranks() -> None:
    scale = even_scale(np.array([2.0, 2.0, 3.0, 4.0]), worst=1, best=5)
    np.testing.assert_allclose(scale.position(np.array([2.0, 3.0, 4.0])), beta.ppf([0.25, 0.625, 0.875], 3, 3))


def means_of_ratings(seed: int) -> np.ndarray:
    """5,000 means of five ratings in steps of .1: equal ones differ by the order in which they are summed."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(4.2, 0.2, (5000, 1)) + rng.normal(0, 0.2, (5000, 5))
    return np.array([sum(ratings) / 5 for ratings in quality.round(1).clip(1, 5).tolist()])


@pytest.mark.parametrize("seed", range(5))
def test_means_that_differ_only_by_rounding_are_one_score(seed: int) -> None:
    mos = means_of_ratings(seed)
    exact = mos.round(2)
    assert len(np.unique(mos)) > len(np.unique(exact))
    scale = even_scale(mos, 1, 5)
    np.testing.assert_allclose(scale.position(mos), even_scale(exact, 1, 5).position(exact), atol=1e-9)


def test_scores_that_differ_only_by_rounding_stand_at_one_place() -> None:
    scale = even_scale(np.array([0, 1e-17, 0.3, 0.30000000000000004, 0.6, 0.9999999999999999, 1]), worst=0, best=1)
    assert np.ptp(scale.position(np.array([0.3, 0.30000000000000004]))) < 1e-9
    np.testing.assert_array_equal(scale.position(np.array([0, 1])), [0, 1])
    assert np.diff(scale.scores).min() > 0.1


def test_a_linear_scale_goes_on_beyond_its_ends() -> None:
    scale = linear_scale(worst=100, best=0)
    np.testing.assert_allclose(scale.position(np.array([110.0, 100, 25, 0])), [-0.1, 0, 0.75, 1])
    np.testing.assert_allclose(scale.mos(np.array([-0.1, 1.2])), [110, -20])


@pytest.mark.parametrize(
    ("positions", "scores"),
    [
        ([0, 1], [1, 1]),
        ([0, 0.5, 1], [1, 3, 2]),
        ([0, 0.5, 0.5, 1], [1, 2, 3, 4]),
        ([0.1, 1], [1, 2]),
        ([0, 1], [1, np.nan]),
        ([0, 1], [1, 2, 3]),
        ([0], [1]),
    ],
)
def test_a_damaged_scale_is_refused(positions: list[float], scores: list[float]) -> None:
    with pytest.raises(ModelError, match="damaged"):
        MosScale(np.array(positions, dtype=float), np.array(scores, dtype=float))
