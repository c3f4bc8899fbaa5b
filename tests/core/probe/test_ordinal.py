"""Fitting on human scores together with the fact that degraded versions look worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from shamisa_cli.core.encoder.spec import EncoderConfig, Preprocessing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.probe.ordinal import OrdinalPairs, OrdinalSettings, fit_ordinal
from shamisa_cli.core.probe.protocol import run_protocol
from shamisa_cli.core.probe.recipe import Recipe
from shamisa_cli.core.probe.ridge_path import fit_ridge
from shamisa_cli.core.training.probes.degraded import degraded_pairs


def table(count: int = 40, length: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, length)).astype(np.float32)
    return features, features[:, 0] + 0.3 * rng.normal(size=count)


def pairs_along(axis: int, count: int = 30, length: int = 60) -> OrdinalPairs:
    """Pairs whose stronger version has less of one feature, and noise in the others."""
    rng = np.random.default_rng(1)
    milder = (0.3 * rng.normal(size=(count, length))).astype(np.float32)
    stronger = milder + 0.05 * rng.normal(size=(count, length)).astype(np.float32)
    gap = rng.uniform(0.2, 1.2, count)
    stronger[:, axis] -= gap.astype(np.float32)
    return OrdinalPairs(milder, stronger, gap, np.arange(count) // 2)


def test_the_fit_minimises_what_it_says() -> None:
    features, mos = table(12, 5)
    pairs = pairs_along(2, 9, 5)
    settings = OrdinalSettings(weight=2.0, margin=0.1)
    ridge = fit_ordinal(features, mos, 0.7, pairs, settings)

    def bounded(values: np.ndarray) -> np.ndarray:
        return np.clip((values - features.mean(axis=0)) / features.std(axis=0), -2, 2)

    rows = bounded(features) - bounded(features).mean(axis=0)
    differences = bounded(pairs.milder) - bounded(pairs.stronger)
    margins = 0.1 * (mos.max() - mos.min()) * pairs.gap

    def loss(weights: np.ndarray) -> float:
        scores = np.sum((mos - mos.mean() - rows @ weights) ** 2)
        hinge = np.sum(np.maximum(0, margins - differences @ weights) ** 2)
        return float(scores + 2.0 * 12 / 9 * hinge + 0.7 * np.sum(weights**2))

    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(ridge.weights, best.x, atol=1e-4)


def test_facts_that_hold_already_change_nothing() -> None:
    features, mos = table()
    plain = fit_ridge(features, mos, 1.0)
    easy = replace(pairs_along(0), gap=np.zeros(30))
    easy.stronger[:] = easy.milder - np.sign(plain.weights).astype(np.float32)
    fitted = fit_ordinal(features, mos, 1.0, easy, OrdinalSettings())
    np.testing.assert_allclose(fitted.weights, plain.weights, atol=1e-8)


def test_facts_order_versions_that_scores_alone_do_not() -> None:
    features, mos = table()
    pairs = pairs_along(7)
    plain = fit_ridge(features, mos, 1.0)
    fitted = fit_ordinal(features, mos, 1.0, pairs, OrdinalSettings(weight=3.0))
    assert pairs.accuracy(plain.predict) < 0.9
    assert pairs.accuracy(fitted.predict) > 0.97


def test_the_protocol_reports_the_ordering_of_photographs_it_did_not_fit_on() -> None:
    features, mos = table(60)
    with_pairs = run_protocol(
        features, mos, splits=3, recipe=Recipe(pairs=pairs_along(7), ordinal=OrdinalSettings(weight=3.0))
    )
    assert 0.8 < with_pairs.pairs_in_order <= 1
    assert np.isnan(run_protocol(features, mos, splits=3).pairs_in_order)


def test_parts_of_facts_are_disjoint_by_photograph() -> None:
    pairs = pairs_along(0)
    inside, outside = pairs.part([0, 3], inside=True), pairs.part([0, 3], inside=False)
    assert set(inside.photo) == {0, 3}
    assert len(inside) + len(outside) == len(pairs)
    assert not set(inside.photo) & set(outside.photo)


@pytest.fixture(scope="module")
def encoder() -> TorchEncoder:
    torch.manual_seed(0)
    config = EncoderConfig(preprocessing=Preprocessing(view_size=64))
    return TorchEncoder.create(config, build_backbone("mobilenet_v2").state_dict())


def test_observing_passes_over_damaged_photographs_and_repeats_with_the_seed(
    encoder: TorchEncoder, example_photos: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"")
    photos = [example_photos / "coffee.jpg", damaged, example_photos / "cat.jpg"]
    pairs = degraded_pairs(encoder, photos, seed=4)
    assert pairs.milder.shape == pairs.stronger.shape == (24, encoder.feature_length)
    assert set(pairs.photo) == {0, 2}
    assert (pairs.gap >= 0).all()
    assert (pairs.gap <= 4).all()
    np.testing.assert_array_equal(pairs.milder[0], pairs.milder[2])  # the untouched photograph
    np.testing.assert_array_equal(pairs.stronger[0], pairs.milder[1])  # the mild version stands between the two
    again = degraded_pairs(encoder, photos, seed=4)
    np.testing.assert_array_equal(again.stronger, pairs.stronger)


def test_no_good_photograph_at_all_is_an_error(encoder: TorchEncoder, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="None of the photographs"):
        degraded_pairs(encoder, [tmp_path / "absent.jpg"])
