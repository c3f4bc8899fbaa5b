"""Ridge regression against scikit-learn's, and what a probe promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.preprocessing import StandardScaler

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.ridge_path import candidate_alphas, fit_ridge, ridge_path
from shamisa_cli.core.probe.scale import linear_scale
from shamisa_cli.core.probe.scaling import block_balance, block_widths


def problem(pictures, length, seed=0):
    generator = np.random.default_rng(seed)
    features = (generator.standard_normal((pictures, length)) * generator.uniform(0.1, 5, length) + 3).astype(
        np.float32
    )
    return features, features[:, :3].sum(axis=1).astype(float) + generator.standard_normal(pictures)


def probe(**changes):
    fields = {
        "weights": np.array([1.0, -2.0]),
        "bias": 3.0,
        "feature_mean": np.array([0.5, 1.0]),
        "feature_scale": np.array([2.0, 4.0]),
        "scale": linear_scale(1.0, 5.0),
        "alpha": 1.0,
        "encoder_fingerprint": "ab" * 32,
    }
    return Probe(**(fields | changes))


@pytest.mark.parametrize(("pictures", "length"), [(80, 12), (12, 80), (30, 30)])
@pytest.mark.parametrize("alpha", [0.01, 1.0, 300.0])
def test_the_solution_is_scikit_learns_on_standardised_bounded_features(pictures, length, alpha):
    features, mos = problem(pictures, length)
    unseen, _ = problem(20, length, seed=1)
    scaler = StandardScaler().fit(features.astype(float))
    scaler.scale_ = np.maximum(scaler.scale_, 0.5 * np.median(scaler.scale_))

    def bounded(values):
        return np.clip(scaler.transform(values.astype(float)), -2, 2)

    reference = SklearnRidge(alpha=alpha).fit(bounded(features), mos)

    ridge = fit_ridge(features, mos, alpha)

    np.testing.assert_allclose(ridge.weights, reference.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ridge.predict(unseen), reference.predict(bounded(unseen)))


@pytest.mark.parametrize("length", [10, 90])
def test_one_decomposition_serves_every_penalty(length):
    features, mos = problem(40, length)
    unseen, _ = problem(15, length, seed=1)
    path = ridge_path(features, mos)
    alphas = np.array([0.1, 5.0, 1e4])
    for column, alpha in zip(path.predictions(unseen, alphas).T, alphas, strict=True):
        np.testing.assert_allclose(column, fit_ridge(features, mos, alpha).predict(unseen), rtol=1e-9)


def test_a_feature_that_never_changes_has_no_weight_and_does_no_harm():
    features, mos = problem(30, 6)
    features[:, 2] = 0.1
    features[:, 4] = 0
    ridge = fit_ridge(features, mos, 1.0)
    assert ridge.weights[[2, 4]] == pytest.approx([0, 0], abs=1e-9)
    rest = fit_ridge(features[:, [0, 1, 3, 5]], mos, 1.0)
    np.testing.assert_allclose(ridge.predict(features), rest.predict(features[:, [0, 1, 3, 5]]))


def test_a_feature_that_hardly_ever_fires_cannot_carry_a_score_away():
    features, mos = problem(200, 20)
    features[:, 5] = 0
    features[3, 5] = 1e-4
    strange = features[:1].copy()
    strange[0, 5] = 3.0  # as large as others are, and 400,000 times its own deviation
    ridge = fit_ridge(features, mos, 1.0)
    assert abs(ridge.predict(strange)[0] - ridge.predict(features[:1])[0]) < np.ptp(mos)


@given(st.integers(2, 25), st.integers(1, 25), st.integers(0, 1000))
def test_predictions_do_not_depend_on_the_order_of_the_features(pictures, length, seed):
    features, mos = problem(pictures, length, seed)
    order = np.random.default_rng(seed).permutation(length)
    straight = fit_ridge(features, mos, 2.0).predict(features)
    np.testing.assert_allclose(fit_ridge(features[:, order], mos, 2.0).predict(features[:, order]), straight, rtol=1e-6)


@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_predictions_do_not_depend_on_the_units_of_the_features(factor, offset):
    features, mos = problem(20, 5)
    changed = features.astype(float) * factor
    changed[:, 1] += offset
    expected = fit_ridge(features, mos, 3.0).predict(features)
    np.testing.assert_allclose(fit_ridge(changed, mos, 3.0).predict(changed), expected, rtol=1e-6)


def test_a_stranger_is_not_scored_beyond_what_the_bound_allows():
    features, mos = problem(200, 20)
    ridge = fit_ridge(features, mos, 1.0)
    far = features[:1] + 1000 * np.sign(ridge.weights).astype(np.float32)
    assert ridge.predict(far)[0] == pytest.approx(ridge.bias + 2 * np.abs(ridge.weights).sum())
    np.testing.assert_allclose(ridge.predict(far * 10), ridge.predict(far))


def test_blocks_of_unit_norm_are_found_and_wide_ones_do_not_rule():
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(50, width)) for width in (3, 40, 7)]
    features = np.concatenate([block / np.linalg.norm(block, axis=1, keepdims=True) for block in blocks], axis=1)
    assert block_widths(features.astype(np.float32)) == (3, 40, 7)
    balance = block_balance(features)
    assert balance[0] / balance[3] == pytest.approx((40 / 3) ** 0.25)
    assert np.mean(balance**2) == pytest.approx(1)
    assert block_widths(rng.normal(size=(50, 9))) == (9,)


def test_a_huge_penalty_leaves_the_mean_score():
    features, mos = problem(30, 50)
    np.testing.assert_allclose(fit_ridge(features, mos, 1e15).predict(features), mos.mean(), rtol=1e-6)


def test_penalties_to_choose_from_rise_and_grow_with_the_features():
    alphas = candidate_alphas(100)
    assert (np.diff(alphas) > 0).all()
    np.testing.assert_allclose(candidate_alphas(1000), 10 * alphas)


def test_features_and_scores_that_do_not_go_together_are_refused():
    features, mos = problem(10, 4)
    with pytest.raises(ValueError, match="go together"):
        fit_ridge(features, mos[:9], 1.0)
    features[3, 1] = np.inf
    with pytest.raises(ValueError, match="finite"):
        fit_ridge(features, mos, 1.0)


def test_a_probe_standardises_weighs_and_adds():
    features = np.array([[0.5, 1.0], [4.5, 9.0]], dtype=np.float32)
    np.testing.assert_allclose(probe().predict(features), [3.0, 3.0 + 2 * 1.0 + 2 * -2.0])


def test_a_prediction_is_the_same_whatever_stands_beside_it():
    features, mos = problem(50, 3000)
    ridge = fit_ridge(features, mos, 10.0)
    together = ridge.predict(features)
    alone = [ridge.predict(features[row : row + 1])[0] for row in range(50)]
    np.testing.assert_array_equal(together, alone)


def test_scores_run_from_0_to_100_and_higher_is_better():
    positions = np.array([-0.25, 0.0, 0.25, 1.0, 2.0])
    np.testing.assert_allclose(probe().score(positions), [0, 0, 25, 100, 100])


def test_a_probe_refuses_features_of_another_length():
    with pytest.raises(ModelError, match="reads 2 features"):
        probe().predict(np.zeros((4, 3), dtype=np.float32))


@pytest.mark.parametrize(
    "damage",
    [
        {"weights": np.zeros(3)},
        {"weights": np.zeros((1, 2))},
        {"bias": float("nan")},
        {"feature_mean": np.array([np.inf, 0])},
        {"feature_scale": np.array([1.0, 0.0])},
        {"fitted": np.array([2.0, 1.0])},
        {"fitted": np.array([2.0, np.nan])},
        {"fitted": np.array([[2.0]])},
    ],
)
def test_a_damaged_probe_is_refused(damage):
    with pytest.raises(ModelError):
        probe(**damage)


@pytest.mark.parametrize("ends", [(1.0, 5.0), (5.0, 1.0)])
def test_a_probe_knows_the_pictures_that_it_was_fitted_on_by_its_scores(ends):
    made = probe(scale=linear_scale(*ends), fitted=np.array([1.0, 2.25, 2.25, 4.0, 5.0]))
    others = np.array([2.25 + 1e-3, 2.25 + 1e-9, 3.0, 1.0, 5.0, 0.0, 9.0])
    assert made.fitted_among(others) == 0
    for same in (2.25, 4.0, 2.25 + 1e-15):
        assert made.fitted_among(np.append(others, same)) == 1
    assert probe().fitted_among(others) == 0
    assert made.fitted_among(others[:0]) == 0


def test_scores_by_another_runtime_are_known_and_few_by_chance_are_not():
    generator = np.random.default_rng(1)
    fitted = np.sort(generator.normal(3, 0.6, 10_000).clip(1, 5))
    made = probe(scale=linear_scale(1.0, 5.0), fitted=fitted)
    inside = int(((fitted > 1) & (fitted < 5)).sum())
    assert inside - 5 <= made.fitted_among(fitted + generator.uniform(-2e-6, 2e-6, 10_000)) <= inside + 5
    assert made.fitted_among(generator.normal(3, 0.6, 10_000).clip(1, 5)) == 0


def test_a_part_of_a_table_by_another_runtime_is_known_too():
    generator = np.random.default_rng(1)
    fitted, others = np.sort(generator.normal(3, 0.6, 12)), generator.normal(3, 0.6, 100)
    made = probe(scale=linear_scale(1.0, 5.0), fitted=fitted)
    assert made.fitted_among(np.append(others[:12], fitted + 1e-6)) == 12
    assert made.fitted_among(np.append(others, fitted - 1e-6)) == 12
    assert made.fitted_among(others) == 0


@pytest.mark.parametrize("width", [1e-6, 1e-5, 1e-4])
def test_crowded_scores_are_no_names_though_one_picture_stands_far_from_them(width):
    generator = np.random.default_rng(1)
    crowd, others = 3 + width * generator.normal(size=500), 3 + width * generator.normal(size=200)
    assert probe(scale=linear_scale(1.0, 5.0), fitted=np.append(2, np.sort(crowd))).fitted_among(others) == 0


def test_a_probe_made_from_a_fit_predicts_as_the_fit_does():
    features, mos = problem(20, 5)
    ridge = fit_ridge(features, mos, 1.0)
    made = Probe.from_ridge(ridge, scale=linear_scale(0, 10), encoder_fingerprint="cd" * 32)
    np.testing.assert_array_equal(made.predict(features), ridge.predict(features))
