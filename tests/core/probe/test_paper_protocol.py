"""The paper's test protocol, held against scikit-learn on the same crops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.linear_model import Ridge as SklearnRidge

from shamisa_cli.core.encoder.spec import PAPER_FEATURES, EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.probe.metrics import logistic_mapping
from shamisa_cli.core.probe.paper_protocol import (
    ALPHAS,
    fit_crops,
    predict_pictures,
    require_paper_reading,
    run_paper_protocol,
)
from shamisa_cli.core.probe.protocol import random_splits
from shamisa_cli.core.probe.scale import linear_scale

PICTURES, CROPS, LENGTH = 60, 5, 12


@pytest.fixture(scope="module")
def crops():
    """Features (n, 5, 12) that differ between crops and in spread, and scores of the pictures, 1…5."""
    generator = np.random.default_rng(0)
    shared = generator.standard_normal((PICTURES, 1, LENGTH))
    rows = shared + 0.5 * generator.standard_normal((PICTURES, CROPS, LENGTH))
    mos = shared[:, 0, :4].sum(axis=1) + 0.7 * generator.standard_normal(PICTURES)
    mos = 1 + 4 * (mos - mos.min()) / np.ptp(mos)
    return (rows * np.geomspace(0.01, 0.3, LENGTH)).astype(np.float32), mos


def by_scikit_learn(rows, mos, fitted_on, asked_of, alpha):
    """Each crop of the pictures fitted on is a row with their score; crops of those asked about are averaged."""
    model = SklearnRidge(alpha=alpha)
    model.fit(rows[fitted_on].reshape(-1, LENGTH).astype(np.float64), np.repeat(mos[fitted_on], CROPS))
    return np.stack([model.predict(rows[picture].astype(np.float64)).mean() for picture in asked_of])


def test_figures_are_those_of_scikit_learn_on_the_same_crops(crops):
    rows, mos = crops
    result = run_paper_protocol(rows, mos, splits=4, seed=3)
    drawn = random_splits(PICTURES, splits=4, seed=3)
    errors = [
        [
            np.sqrt(np.mean((by_scikit_learn(rows, mos, s.train, s.validation, alpha) - mos[s.validation]) ** 2))
            for alpha in ALPHAS
        ]
        for s in drawn
    ]
    alpha = ALPHAS[np.argmin(np.median(errors, axis=0))]
    assert {split.alpha for split in result.splits} == {alpha}
    for split, s in zip(result.splits, drawn, strict=True):
        expected = by_scikit_learn(rows, mos, s.train, s.test, alpha)
        np.testing.assert_allclose(split.prediction, expected, rtol=1e-6)
        assert split.overall.srcc == pytest.approx(spearmanr(expected, mos[s.test]).statistic)
        assert split.overall.plcc == pytest.approx(pearsonr(expected, mos[s.test]).statistic)
        assert split.overall.rmse == pytest.approx(np.sqrt(np.mean((expected - mos[s.test]) ** 2)))


def test_ten_splits_of_70_10_20_and_medians_over_them(crops):
    rows, mos = crops
    result = run_paper_protocol(rows, mos)
    assert [len(split.rows) for split in result.splits] == [12] * 10
    assert result.spread("srcc").median == np.median([split.overall.srcc for split in result.splits])


def test_what_is_kept_is_fitted_on_every_crop_and_averages_their_predictions(crops):
    rows, mos = crops
    scale = linear_scale(1, 5)
    ridge = fit_crops(rows, scale.position(mos), 0.1)
    everything = range(PICTURES)
    expected = by_scikit_learn(rows, mos, everything, everything, 0.1)
    np.testing.assert_allclose(scale.mos(predict_pictures(ridge, rows)), expected, rtol=1e-6)
    # Scoring averages the features of the crops, which a linear regressor cannot tell from averaged predictions.
    np.testing.assert_allclose(scale.mos(ridge.predict(rows.mean(axis=1))), expected, rtol=1e-6)


def test_crops_count_as_rows_and_features_are_not_standardised(crops):
    rows, mos = crops
    averaged = run_paper_protocol(rows.mean(axis=1, keepdims=True), mos, splits=3)
    scaled = run_paper_protocol(rows * np.geomspace(1, 30, LENGTH, dtype=np.float32), mos, splits=3)
    whole = run_paper_protocol(rows, mos, splits=3)
    for other in (averaged, scaled):
        assert not np.allclose(whole.splits[0].prediction, other.splits[0].prediction, rtol=1e-3)


def test_no_reference_is_in_two_parts_and_groups_get_the_logistic(crops):
    rows, mos = crops
    groups = [f"scene{picture // 6}" for picture in range(PICTURES)]
    # What a picture's scene is, is written into its features: whoever has seen the scene knows its score.
    rng = np.random.default_rng(1)
    of_scene = rng.standard_normal(10)
    told = np.zeros((PICTURES, CROPS, 10), np.float32)
    for picture in range(PICTURES):
        told[picture, :, picture // 6] = 1
    told += 1e-3 * rng.standard_normal((PICTURES, 1, 10)).astype(np.float32)  # or they would be one picture
    scores = np.repeat(of_scene, 6) + 0.01 * rng.standard_normal(PICTURES)
    leaking = run_paper_protocol(told, scores)
    disjoint = run_paper_protocol(told, scores, groups=groups)
    assert leaking.spread("srcc").median > 0.7
    assert not disjoint.spread("srcc").median > 0.7
    for split in run_paper_protocol(rows, mos, groups=groups, splits=3).splits:
        mapped = logistic_mapping(split.prediction, mos[split.rows])
        assert len({groups[row] for row in split.rows}) == 2
        assert split.overall.plcc == pytest.approx(pearsonr(mapped, mos[split.rows]).statistic)


def test_impairment_scores_turn_around(crops):
    rows, mos = crops
    plain = run_paper_protocol(rows, mos, splits=3)
    turned = run_paper_protocol(rows, 6 - mos, splits=3, scale_of=lambda part: linear_scale(part.max(), part.min()))
    np.testing.assert_allclose(turned.splits[1].prediction, 6 - plain.splits[1].prediction, rtol=1e-6)
    assert turned.spread("srcc").median == pytest.approx(plain.spread("srcc").median)


@pytest.mark.parametrize(
    "config",
    [
        EncoderConfig(features=PAPER_FEATURES),
        EncoderConfig(features=FeatureSpec(), preprocessing=Preprocessing(view_size=None)),
    ],
)
def test_an_encoder_that_reads_otherwise_is_refused_with_the_command_that_helps(config):
    with pytest.raises(ModelError, match="mine reads pictures differently"):
        require_paper_reading(config, "mine")
    require_paper_reading(EncoderConfig(features=PAPER_FEATURES, preprocessing=Preprocessing(view_size=None)), "mine")
