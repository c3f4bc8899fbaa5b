"""The protocol: disjoint splits, honest choice of the penalty, medians over splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.probe.metrics import rmse
from shamisa_cli.core.probe.protocol import (
    agreements,
    difference_features,
    fit_final,
    plain_scale,
    random_splits,
    run_protocol,
)
from shamisa_cli.core.probe.ridge_path import fit_ridge
from shamisa_cli.core.probe.scale import even_scale


def problem(pictures=120, length=30, noise=1.0, seed=0):
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((pictures, length)).astype(np.float32)
    return features, features[:, :5].sum(axis=1) + noise * generator.standard_normal(pictures)


@given(st.integers(3, 300), st.integers(0, 99))
def test_every_picture_is_in_exactly_one_part_of_a_split(count, seed):
    for split in random_splits(count, splits=3, seed=seed):
        everything = np.concatenate([split.train, split.validation, split.test])
        assert sorted(everything) == list(range(count))
        assert min(len(split.train), len(split.validation), len(split.test)) >= 1


def test_shares_are_70_10_20():
    split = random_splits(3600, splits=1)[0]
    assert (len(split.train), len(split.validation), len(split.test)) == (2520, 360, 720)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=60), st.integers(0, 99))
def test_no_group_is_in_two_parts_of_a_split(groups, seed):
    if len(set(groups)) < 3:
        with pytest.raises(SettingError, match="groups"):
            random_splits(len(groups), groups=groups)
        return
    for split in random_splits(len(groups), splits=4, seed=seed, groups=groups):
        parts = [{groups[row] for row in rows} for rows in (split.train, split.validation, split.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        assert sum(map(len, (split.train, split.validation, split.test))) == len(groups)


def test_splits_repeat_by_seed_and_more_of_them_begin_alike():
    def tests(**settings):
        return [split.test.tolist() for split in random_splits(50, **settings)]

    assert tests(seed=4) == tests(seed=4)
    assert tests(seed=4) != tests(seed=5)
    assert tests(seed=4, splits=20)[:10] == tests(seed=4)
    assert len({tuple(rows) for rows in tests()}) == 10


@pytest.mark.parametrize(("count", "splits"), [(2, 10), (0, 10), (50, 0)])
def test_splits_that_cannot_be_made_are_refused(count, splits):
    with pytest.raises(SettingError):
        random_splits(count, splits=splits)


def test_each_split_reports_on_pictures_it_was_not_fitted_on():
    features, mos = problem()
    result = run_protocol(features, mos, splits=2, seed=7)
    for split, outcome in zip(random_splits(120, splits=2, seed=7), result.splits, strict=True):
        np.testing.assert_array_equal(outcome.rows, split.test)
        again = fit_ridge(features[split.train], mos[split.train], outcome.alpha).predict(features[split.test])
        np.testing.assert_allclose(outcome.prediction, again, rtol=1e-9)
        assert outcome.overall.srcc == pytest.approx(spearmanr(again, mos[split.test]).statistic)
        assert outcome.overall.plcc == pytest.approx(np.corrcoef(again, mos[split.test])[0, 1])
        assert outcome.overall.rmse == pytest.approx(np.sqrt(np.mean((again - mos[split.test]) ** 2)))


def test_test_scores_do_not_leak_into_predictions():
    features, mos = problem()
    before = run_protocol(features, mos, splits=1)
    changed = mos.copy()
    changed[before.splits[0].rows] += 1000
    after = run_protocol(features, changed, splits=1)
    np.testing.assert_array_equal(after.splits[0].prediction, before.splits[0].prediction)


def test_noise_is_not_predicted_and_signal_is():
    generator = np.random.default_rng(1)
    features = generator.standard_normal((200, 300)).astype(np.float32)
    assert abs(run_protocol(features, generator.standard_normal(200)).spread("srcc").median) < 0.3
    features, mos = problem(200, 20, noise=0.1)
    assert run_protocol(features, mos).spread("srcc").median > 0.95


def test_the_table_has_medians_and_interquartile_ranges_overall_and_by_subset():
    features, mos = problem()
    subsets = ["even" if row % 2 == 0 else "odd" for row in range(120)]
    result = run_protocol(features, mos, subsets=subsets, splits=5)
    assert result.subset_names == ("even", "odd")
    values = sorted(split.overall.krcc for split in result.splits)
    assert result.spread("krcc").median == values[2]
    assert result.spread("krcc").iqr == pytest.approx(values[3] - values[1])
    for split in result.splits:
        even = split.rows % 2 == 0
        assert split.subsets["even"].count == even.sum()
        assert split.subsets["even"].rmse == pytest.approx(rmse(split.prediction[even], mos[split.rows[even]]))
        assert split.subsets["even"].count + split.subsets["odd"].count == split.overall.count


def test_a_subset_that_no_split_can_judge_is_undefined():
    features, mos = problem()
    result = run_protocol(features, mos, subsets=["rare", *["common"] * 119], splits=3)
    assert np.isnan(result.spread("srcc", "rare").median)
    assert result.spread("srcc", "common").median > 0


def test_held_out_predictions_and_their_scores_go_together():
    features, mos = problem()
    result = run_protocol(features, mos, splits=3)
    rows, prediction = result.held_out
    assert len(rows) == 3 * 24
    positions, scores = result.held_out_pairs(mos)
    assert spearmanr(positions[:24], prediction[:24]).statistic == pytest.approx(1)
    np.testing.assert_array_equal(scores, mos[rows])


def test_predictions_come_back_on_the_human_scale_whichever_way_it_runs():
    features, mos = problem()
    upright = run_protocol(features, mos, scale_of=lambda scores: even_scale(scores, -10, 10), splits=2)
    mirrored = run_protocol(features, 100 - 10 * mos, scale_of=lambda scores: even_scale(scores, 200, 0), splits=2)
    assert upright.spread("srcc").median > 0.7
    for one, other in zip(upright.splits, mirrored.splits, strict=True):
        np.testing.assert_allclose(other.position, one.position, atol=1e-9)
        np.testing.assert_allclose(other.prediction, 100 - 10 * one.prediction, atol=1e-6)
        assert other.overall.srcc == pytest.approx(one.overall.srcc)


def test_the_same_seed_gives_the_same_numbers():
    features, mos = problem()
    first, second = (run_protocol(features, mos, splits=3, seed=2) for _ in range(2))
    assert [split.overall for split in first.splits] == [split.overall for split in second.splits]
    assert first.splits[0].overall != run_protocol(features, mos, splits=3, seed=3).splits[0].overall


@pytest.mark.parametrize("count", [10, 16, 24, 40])
def test_few_ratings_give_predictions_that_spread_as_the_ratings_do(count):
    # Features as of one's own pictures: hundreds that all follow quality, each with noise of its own.
    generator = np.random.default_rng(count)
    quality = generator.uniform(1, 5, 100 + count)
    features = (quality[:, None] + generator.standard_normal((len(quality), 500))).astype(np.float32)
    mos = quality[:count] + 0.1 * generator.standard_normal(count)
    result = run_protocol(features[:count], mos)
    predicted = fit_final(features[:count], mos, result).predict(features[count:])
    assert 0.7 < predicted.std() / quality[count:].std() < 1.3
    assert 0.5 < result.held_out_spread(plain_scale(mos).position(mos)) < 1.5


def test_the_final_probe_is_fitted_on_everything_with_the_median_penalty():
    features, mos = problem()
    result = run_protocol(features, mos, splits=3)
    alpha = sorted(split.alpha for split in result.splits)[1]
    assert result.alpha == pytest.approx(alpha)
    np.testing.assert_allclose(fit_final(features, mos, result).weights, fit_ridge(features, mos, alpha).weights)


def test_the_logistic_mapping_changes_linear_figures_alone():
    x = np.linspace(-4, 4, 50)
    mos = np.tanh(x)
    plain, _ = agreements(x, mos)
    mapped, parts = agreements(x, mos, subsets=["a"] * 25 + ["b"] * 25, logistic=True)
    assert (mapped.srcc, mapped.krcc) == (plain.srcc, plain.krcc)
    assert plain.plcc < 0.97 < mapped.plcc
    assert mapped.rmse == pytest.approx(0, abs=1e-3)
    assert parts["a"].rmse == pytest.approx(0, abs=1e-3)


def test_full_reference_features_are_distances_from_the_reference():
    reference, distorted = np.array([[1.0, 5.0]]), np.array([[3.0, 4.0]])
    np.testing.assert_array_equal(difference_features(reference, distorted), [[2.0, 1.0]])
    np.testing.assert_array_equal(difference_features(distorted, reference), [[2.0, 1.0]])
    with pytest.raises(ValueError, match="shape"):
        difference_features(reference, distorted[:, :1])
