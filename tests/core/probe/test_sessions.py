"""Scores of several sessions: quality from differences inside them, and offsets that are bounded."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.probe.metrics import srcc
from shamisa_cli.core.probe.ordinal import OrdinalPairs
from shamisa_cli.core.probe.protocol import run_protocol
from shamisa_cli.core.probe.pseudo import PseudoLabels, PseudoSettings
from shamisa_cli.core.probe.recipe import Recipe
from shamisa_cli.core.probe.ridge_path import fit_ridge
from shamisa_cli.core.probe.scaling import Scaling
from shamisa_cli.core.probe.sessions import SessionSettings, fit_by_session

NAMES = ("street", "studio", "phone")


def studies(count: int = 240, length: int = 40, seed: int = 0):
    """Quality lies along feature 0; sessions differ in features 1 to 3, and their marks by −2, 0 and 2."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, length)).astype(np.float32)
    member = np.arange(count) % 3
    features[np.arange(count), 1 + member] += 3
    quality = features[:, 0].astype(float)
    return features, quality + 2.0 * (member - 1), [NAMES[each] for each in member], quality


def versions(weight: float = 0.1, drop: float = 0.5, count: int = 60, length: int = 40) -> PseudoLabels:
    """Versions that lose some of feature 5, the more the higher their rank."""
    rng = np.random.default_rng(1)
    originals = rng.normal(size=(count, length)).astype(np.float32) * 0.3
    rank = (np.arange(count) + 1) / count
    changed = originals.copy()
    changed[:, 5] -= rank.astype(np.float32)
    return PseudoLabels(changed, originals, rank, np.arange(count) // 6, PseudoSettings(weight=weight, drop=drop))


@pytest.mark.parametrize("pseudo", [None, versions()])
def test_both_parts_are_scikit_learns_solutions(pseudo):
    features, marks, sessions, _ = studies()
    fitted = fit_by_session(features, marks, sessions, SessionSettings(penalty=0.5), pseudo)
    scaling = Scaling.standard(features)
    rows = scaling.rows(features)
    member = np.unique(sessions, return_inverse=True)[1]
    dummies = np.eye(3)[member]

    def means(values):
        return dummies.T @ values / dummies.sum(axis=0)[:, None]

    extra = np.zeros((0, 40)) if pseudo is None else pseudo.rows(scaling)
    drops = np.zeros(0) if pseudo is None else pseudo.targets
    system = np.concatenate([rows - dummies @ means(rows), extra])
    targets = np.concatenate([marks - (dummies @ means(marks[:, None]))[:, 0], drops])
    weights = np.concatenate([np.ones(len(rows)), np.full(len(extra), 0.1)])
    quality = SklearnRidge(alpha=fitted.alpha, fit_intercept=False).fit(system, targets, weights)
    np.testing.assert_allclose(fitted.weights, quality.coef_ * scaling.balance, atol=1e-5)

    intercepts = means((marks - rows @ quality.coef_)[:, None])[:, 0] - marks.mean()
    assert fitted.offset is not None
    assert (fitted.offset.low, fitted.offset.high) == pytest.approx((intercepts.min(), intercepts.max()), abs=1e-4)
    offsets = dummies @ intercepts
    system = np.concatenate([rows - rows.mean(axis=0), extra])
    targets = np.concatenate([offsets - offsets.mean(), np.zeros(len(extra))])
    direction = SklearnRidge(alpha=fitted.alpha * 0.4, fit_intercept=False).fit(system, targets, weights)
    np.testing.assert_allclose(fitted.offset.weights, direction.coef_ * scaling.balance, atol=1e-5)


def test_quality_is_told_from_sessions_and_the_offset_stays_between_theirs():
    features, marks, sessions, _ = studies()
    unseen, _, _, quality = studies(seed=7)
    alone = fit_by_session(features, marks, sessions, SessionSettings(share=0))
    pooled = fit_ridge(features, marks, alone.alpha)
    assert srcc(alone.predict(unseen), quality) > srcc(pooled.predict(unseen), quality) + 0.2
    whole = fit_by_session(features, marks, sessions, SessionSettings(share=1))
    added = whole.predict(unseen * 100) - alone.predict(unseen * 100)
    assert whole.offset is not None
    assert added.min() == pytest.approx(whole.offset.low)
    assert added.max() == pytest.approx(whole.offset.high)


def test_an_image_s_slopes_and_constant_are_its_prediction():
    features, marks, sessions, _ = studies()
    fitted = fit_by_session(features, marks, sessions, SessionSettings())
    for row in (features[0], features[1] * 50, np.zeros(40, np.float32)):
        slopes, constant = fitted.slopes(row)
        assert constant + slopes @ row == pytest.approx(fitted.predict(row[None])[0])


def test_pseudo_labels_teach_the_order_of_versions_that_nobody_rated():
    features, marks, _, _ = studies()
    pseudo = versions(weight=1.0)
    assert pseudo.accuracy(fit_ridge(features, marks, 1.0).predict) < 0.9
    assert pseudo.accuracy(fit_ridge(features, marks, 1.0, pseudo=pseudo).predict) == 1


@pytest.mark.parametrize("sessions", [False, True])
def test_the_protocol_reports_versions_of_photographs_that_were_not_fitted(sessions):
    features, marks, names, _ = studies()
    result = run_protocol(
        features, marks, splits=3, recipe=Recipe(sessions=names if sessions else None, pseudo=versions(weight=1.0))
    )
    assert result.pairs_in_order > 0.9
    assert result.spread("srcc").median > 0.75


def test_degraded_pairs_are_not_mixed_with_sessions():
    pairs = OrdinalPairs(np.zeros((1, 2)), np.ones((1, 2)), np.ones(1), np.zeros(1, np.int64))
    with pytest.raises(SettingError, match="leave one out"):
        Recipe(sessions=["a"], pairs=pairs)
