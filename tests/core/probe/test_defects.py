"""Defect probes: degraded photographs, the fit, and predicted severities."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from shamisa_cli.core.distortions.registry import BY_GROUP, OPERATORS
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.probe.defects import DefectAccuracy, DefectProbe
from shamisa_cli.core.training.probes.defects import ALPHAS_PER_FEATURE, defect_kinds, fit_defects
from shamisa_cli.core.training.probes.degraded import DegradedPhotos, degrade_and_embed

PHOTOS, VERSIONS = 20, 20


@pytest.fixture(scope="module")
def pictures() -> DegradedPhotos:
    """Features that hold each operator's severity in a column of its own, beside a photograph's content and noise."""
    generator = np.random.default_rng(0)
    count = PHOTOS * VERSIONS
    severity = np.full((count, len(OPERATORS)), np.nan)
    names = list(OPERATORS)
    for row in range(count):
        if row % VERSIONS:
            for group in generator.permutation(7)[:2]:
                operator = generator.choice([operator.name for operator in BY_GROUP[GROUPS[group]]])
                severity[row, names.index(operator)] = generator.uniform(0, 4)
    photo = np.repeat(np.arange(PHOTOS), VERSIONS)
    content = generator.normal(size=(PHOTOS, 30))[photo]
    features = np.concatenate([np.nan_to_num(severity), content], axis=1)
    noise = generator.normal(scale=0.1, size=features.shape)
    return DegradedPhotos((features + noise).astype(np.float32), severity, photo)


@pytest.fixture(scope="module")
def fitted(pictures: DegradedPhotos) -> tuple[DefectProbe, tuple[DefectAccuracy, ...]]:
    return fit_defects(pictures, "ab" * 32)


def test_every_operator_belongs_to_one_kind_of_its_own_group() -> None:
    counts = Counter(name for _, operators in defect_kinds() for name in operators)
    assert counts == dict.fromkeys(OPERATORS, 1)
    assert all(OPERATORS[name].group == group for group, operators in defect_kinds() for name in operators)
    assert {group for group, _ in defect_kinds()} == set(GROUPS)


def test_what_the_engine_did_is_told(pictures: DegradedPhotos, fitted: tuple[DefectProbe, object]) -> None:
    probe, _ = fitted
    told = probe.severities(pictures.features)
    applied = np.stack([np.nan_to_num(pictures.of([o.name for o in BY_GROUP[group]])) for group in GROUPS], axis=1)
    assert told.shape == (len(pictures), 7)
    assert 0 <= told.min() <= told.max() <= 4
    for group in range(7):
        assert np.corrcoef(told[:, group], applied[:, group])[0, 1] > 0.9


def test_an_untouched_picture_has_no_defects_nine_times_in_ten(
    pictures: DegradedPhotos, fitted: tuple[DefectProbe, object]
) -> None:
    probe, _ = fitted
    told = probe.severities(pictures.features)
    for place, group in enumerate(GROUPS):
        absent = np.isnan(pictures.of([operator.name for operator in BY_GROUP[group]]))
        assert np.mean(told[absent, place] == 0) > 0.85


def test_what_is_told_of_a_picture_does_not_depend_on_its_company(
    pictures: DegradedPhotos, fitted: tuple[DefectProbe, object]
) -> None:
    probe, _ = fitted
    together = probe.severities(pictures.features[:9])
    alone = np.concatenate([probe.severities(pictures.features[row : row + 1]) for row in range(9)])
    np.testing.assert_array_equal(together, alone)
    assert probe.severities(pictures.features[:0]).shape == (0, 7)


def test_the_penalty_is_the_one_with_the_least_error(
    pictures: DegradedPhotos, fitted: tuple[DefectProbe, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors, probes = [], []
    for alpha in ALPHAS_PER_FEATURE:
        monkeypatch.setattr("shamisa_cli.core.training.probes.defects.ALPHAS_PER_FEATURE", np.array([alpha]))
        probe, accuracies = fit_defects(pictures, "ab" * 32)
        errors.append(np.mean([accuracy.mae for accuracy in accuracies]))
        probes.append(probe)
    assert max(errors) > 1.2 * min(errors)
    np.testing.assert_allclose(fitted[0].weights, probes[int(np.argmin(errors))].weights)


def test_accuracy_is_that_on_photographs_left_out() -> None:
    # Features that name the photograph alone: whoever has seen it knows what was done to it, and nobody else does.
    photo = np.repeat(np.arange(PHOTOS), 2)
    severity = np.full((2 * PHOTOS, len(OPERATORS)), np.nan)
    severity[photo % 2 == 0, 0] = 3.0
    names = np.eye(PHOTOS, dtype=np.float32)[photo]
    _, accuracies = fit_defects(DegradedPhotos(names, severity, photo), "ab" * 32)
    blur = accuracies[0]
    assert (blur.group, blur.count) == ("blur", PHOTOS)
    assert blur.auc == pytest.approx(0.5, abs=0.05), "chance, but for the last digits of predictions that are alike"


def test_the_area_under_the_curve_is_that_of_another_library() -> None:
    from shamisa_cli.core.training.probes.defects import _auc

    generator = np.random.default_rng(4)
    present, absent = generator.integers(0, 9, 50).astype(float), generator.integers(0, 6, 70).astype(float)
    labels = np.repeat([1, 0], [50, 70])
    assert _auc(present, absent) == pytest.approx(roc_auc_score(labels, np.concatenate([present, absent])))
    assert np.isnan(_auc(present, absent[:0]))


def test_fewer_photographs_than_folds_are_refused(pictures: DegradedPhotos) -> None:
    few = pictures.photo < 4
    with pytest.raises(SettingError, match="4 different photographs"):
        fit_defects(DegradedPhotos(pictures.features[few], pictures.severity[few], pictures.photo[few]), "ab" * 32)


def test_a_probe_whose_parts_do_not_fit_is_refused(fitted: tuple[DefectProbe, object]) -> None:
    probe, _ = fitted
    for changes in (
        {"bias": probe.bias[:-1]},
        {"floor": np.full(7, 4.0)},
        {"feature_scale": np.zeros_like(probe.feature_scale)},
        {"weights": np.full_like(probe.weights, np.nan)},
        {"groups": tuple("blur" for _ in probe.groups)},
    ):
        with pytest.raises(ModelError, match="defect probe is damaged"):
            replace(probe, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def encoder() -> TorchEncoder:
    torch.manual_seed(0)
    config = EncoderConfig("mobilenet_v2", FeatureSpec((0,), scales=(1.0,)), Preprocessing(view_size=64))
    return TorchEncoder.create(config, build_backbone("mobilenet_v2").state_dict())


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(path)
    return paths


def test_the_first_version_is_untouched_and_the_others_went_through_one_to_three_groups(
    encoder: TorchEncoder, photos: list[Path]
) -> None:
    made = degrade_and_embed(encoder, photos, versions=8)
    assert made.photo.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    applied = ~np.isnan(made.severity)
    assert applied.sum(axis=1)[::8].tolist() == [0, 0, 0]
    rest = np.delete(applied, [0, 8, 16], axis=0)
    assert set(rest.sum(axis=1)) <= {1, 2, 3}
    for row in rest:
        groups = [OPERATORS[name].group for name, there in zip(OPERATORS, row, strict=True) if there]
        assert len(set(groups)) == len(groups)
    assert np.nanmin(made.severity) >= 0
    assert np.nanmax(made.severity) <= 4


def test_the_same_seed_makes_the_same_versions_and_another_others(encoder: TorchEncoder, photos: list[Path]) -> None:
    first, second, other = (degrade_and_embed(encoder, photos[:1], versions=4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.features, second.features)
    np.testing.assert_array_equal(first.severity, second.severity)
    assert not np.array_equal(first.severity, other.severity, equal_nan=True)


def test_unreadable_photographs_are_passed_over_and_none_at_all_is_an_error(
    encoder: TorchEncoder, photos: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    assert degrade_and_embed(encoder, [broken, photos[0]], versions=2).photo.tolist() == [1, 1]
    with pytest.raises(SettingError, match="None of the photographs"):
        degrade_and_embed(encoder, [broken], versions=2)
