"""The penalty: the one with the least error on rows that were not fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from shamisa_cli.core.probe.penalty import FOLDS, choose_alpha, cross_validated_alpha
from shamisa_cli.core.probe.ridge_path import candidate_alphas, ridge_path

BOUND = {"a_min": -2, "a_max": 2}


def problem(pictures, length, noise=4.0):
    generator = np.random.default_rng(0)
    features = generator.standard_normal((pictures, length)).astype(np.float32)
    return features, features[:, :5].sum(axis=1) + noise * generator.standard_normal(pictures)


def by_scikit_learn(alpha):
    return make_pipeline(StandardScaler(), FunctionTransformer(np.clip, kw_args=BOUND), SklearnRidge(alpha=alpha))


def test_the_penalty_is_the_one_scikit_learn_would_choose():
    features, mos = problem(90, 60)
    fitted, unseen = slice(0, 60), slice(60, 90)
    errors = [
        np.sum((by_scikit_learn(alpha).fit(features[fitted], mos[fitted]).predict(features[unseen]) - mos[unseen]) ** 2)
        for alpha in candidate_alphas(60)
    ]
    chosen = choose_alpha(ridge_path(features[fitted], mos[fitted]), features[unseen], mos[unseen])
    assert chosen == pytest.approx(candidate_alphas(60)[np.argmin(errors)])


def test_the_penalty_of_few_rows_is_the_one_scikit_learn_would_choose_leaving_each_out():
    features, mos = problem(FOLDS, 30, noise=0.5)
    errors = [
        np.sum((cross_val_predict(by_scikit_learn(alpha), features, mos, cv=LeaveOneOut()) - mos) ** 2)
        for alpha in candidate_alphas(30)
    ]
    assert cross_validated_alpha(features, mos) == pytest.approx(candidate_alphas(30)[np.argmin(errors)])


def test_groups_stay_together_when_few_rows_choose_the_penalty():
    features, mos = problem(40, 30, noise=2)
    groups = [f"scene{row % 8}" for row in range(40)]
    errors = [
        np.sum(
            (cross_val_predict(by_scikit_learn(alpha), features, mos, groups=groups, cv=LeaveOneGroupOut()) - mos) ** 2
        )
        for alpha in candidate_alphas(30)
    ]
    assert cross_validated_alpha(features, mos, groups=groups) == pytest.approx(candidate_alphas(30)[np.argmin(errors)])


def test_of_equally_good_penalties_the_smallest_is_chosen():
    features = np.ones((10, 2), np.float32)  # constant features: every penalty predicts the mean
    path = ridge_path(features, np.arange(10.0))
    assert choose_alpha(path, features, np.arange(10.0)) == candidate_alphas(2)[0]


def test_an_order_that_is_right_does_not_excuse_predictions_of_one_number():
    features = np.arange(30, dtype=np.float32)[:, None]
    path = ridge_path(features, np.arange(30.0))
    alpha = choose_alpha(path, features, np.arange(30.0))
    assert np.ptp(path.predictions(features, np.array([alpha]))) == pytest.approx(29, rel=0.01)
