"""Cross-dataset tables: fitted on one data set, tested on another whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.linear_model import Ridge as SklearnRidge

from shamisa_cli.core.probe.cross_dataset import DataSet, cross_table, run_named
from shamisa_cli.core.probe.metrics import logistic_mapping
from shamisa_cli.core.probe.protocol import run_protocol
from shamisa_cli.core.probe.scale import even_scale


def data_set(name, pictures, seed, crops=5):
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((pictures, crops, 8)).astype(np.float32)
    mos = rows[:, :, :3].mean(axis=1).sum(axis=1) + 0.4 * generator.standard_normal(pictures)
    return DataSet(name, rows, mos.astype(np.float64))


@pytest.fixture(scope="module")
def sets():
    return [data_set("one", 50, 1), data_set("two", 40, 2), data_set("three", 30, 3)]


def test_off_the_diagonal_is_scikit_learn_fitted_on_one_and_tested_on_all_of_another(sets):
    table = cross_table("paper", sets, splits=3)
    assert [(result.fitted_on, result.tested_on) for result in table.results[:4]] == [
        ("one", "one"), ("one", "two"), ("one", "three"), ("two", "one"),
    ]  # fmt: skip
    one, two = sets[:2]
    model = SklearnRidge(alpha=table.alphas[0]).fit(one.rows.reshape(-1, 8), np.repeat(one.mos, 5))
    prediction = model.predict(two.rows.reshape(-1, 8)).reshape(40, 5).mean(axis=1).astype(np.float64)
    found = table.row("one")[1].agreement
    assert found.count == 40
    assert found.srcc == pytest.approx(spearmanr(prediction, two.mos).statistic)
    assert found.krcc == pytest.approx(kendalltau(prediction, two.mos).statistic)
    assert found.plcc == pytest.approx(pearsonr(logistic_mapping(prediction, two.mos), two.mos).statistic, abs=1e-4)
    plain = cross_table("paper", sets, splits=3, logistic=False).row("one")[1].agreement
    assert plain.plcc == pytest.approx(pearsonr(prediction, two.mos).statistic, abs=1e-5)


def test_the_diagonal_is_the_protocol_on_the_data_set_itself(sets):
    table = cross_table("paper", sets, splits=3)
    own = run_named("paper", sets[1], splits=3, logistic=True)
    diagonal = table.row("two")[1]
    assert diagonal.within
    assert diagonal.agreement.srcc == own.spread("srcc").median
    assert table.alphas[1] == pytest.approx(own.splits[0].alpha)


def test_data_sets_whose_scores_count_impairment_agree_with_the_others(sets):
    plain = cross_table("paper", sets[:2], splits=2)
    turned = cross_table("paper", [sets[0], replace(sets[1], mos=10 - 2 * sets[1].mos, lower_is_better=True)], splits=2)
    for before, after in zip(plain.results, turned.results, strict=True):
        assert after.agreement.srcc == pytest.approx(before.agreement.srcc)


def test_the_default_protocol_keeps_its_numbers(sets):
    data = sets[0]
    low, high = data.mos.min(), data.mos.max()
    expected = run_protocol(
        data.rows.mean(axis=1), data.mos, scale_of=lambda mos: even_scale(mos, low, high), splits=3, seed=1
    )
    found = run_named("default", data, splits=3, seed=1)
    assert [split.overall for split in found.splits] == [split.overall for split in expected.splits]
    assert len(cross_table("default", sets, splits=2).results) == 9
