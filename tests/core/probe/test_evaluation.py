"""A model as it is, judged with intervals."""

from __future__ import annotations

import numpy as np
import pytest

from shamisa_cli.core.probe.evaluation import evaluate_predictions
from shamisa_cli.core.probe.metrics import srcc


def judged(**settings):
    generator = np.random.default_rng(0)
    mos = generator.uniform(1, 5, 90)
    prediction = 20 * mos + 10 * generator.standard_normal(90)
    return prediction, mos, evaluate_predictions(
        prediction, mos, subsets=["b", "a", "a"] * 30, resamples=100, **settings
    )  # fmt: skip


def test_all_pictures_come_first_and_then_each_subset_by_name():
    prediction, mos, rows = judged()
    assert [row.subset for row in rows] == [None, "a", "b"]
    assert [row.agreement.count for row in rows] == [90, 60, 30]
    b = np.arange(90) % 3 == 0
    assert rows[2].agreement.srcc == pytest.approx(srcc(prediction[b], mos[b]))


def test_every_figure_lies_in_its_interval():
    for row in judged()[2]:
        for name in ("srcc", "plcc", "krcc", "rmse"):
            low, high = getattr(row.intervals, name)
            assert low <= getattr(row.agreement, name) <= high


def test_the_error_is_on_the_scale_of_the_table_only_after_the_mapping():
    assert judged(logistic=True)[2][0].agreement.rmse < 1
    assert judged(logistic=False)[2][0].agreement.rmse > 20


def test_the_same_seed_gives_the_same_intervals():
    assert judged(seed=3)[2] == judged(seed=3)[2]
    assert judged(seed=3)[2][0].intervals != judged(seed=4)[2][0].intervals
