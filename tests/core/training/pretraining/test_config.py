"""Settings: presets a person can name, files that replace some of them, and mistakes that are explained."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from shamisa_cli.core.encoder.spec import FeatureSpec
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.overrides import differences, with_overrides
from shamisa_cli.core.training.pretraining.config import PRESETS, TrainingConfig, read_config_file, with_settings


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_comes_back_from_json_as_it_was(name: str) -> None:
    assert with_overrides(TrainingConfig(), json.loads(json.dumps(PRESETS[name].to_json()))) == PRESETS[name]


def test_the_paper_preset_has_the_published_constants() -> None:
    paper = PRESETS["paper"]
    assert (paper.architecture, paper.init, paper.steps) == ("resnet50", "imagenet", 70_000)
    assert (paper.optimiser, paper.encoder_lr, paper.head_lr, paper.momentum) == ("sgd", 1.5e-3, 1.5e-3, 0.9)
    assert (paper.weight_decay, paper.minimum_lr, paper.restart_factor) == (1e-4, 1e-6, 2)
    assert (paper.projector_hidden, paper.projector_out) == (3072, 768)
    assert paper.batch.crops == 252
    assert paper.features == FeatureSpec(stages=(-1,), moments=("mean",), scales=(1.0, 0.5))
    assert not paper.calibrate_projector


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        PRESETS["quick"].steps = 3  # type: ignore[misc]


def test_a_file_replaces_some_settings_also_nested_ones(tmp_path: Path) -> None:
    toml, as_json = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text("steps = 9\nencoder_lr = 1\nrepresentation_stages = [3, -1]\n[batch]\ncrop = 64\n")
    as_json.write_text(
        '{"steps": 9, "encoder_lr": 1, "representation_stages": [3, -1], "batch": {"crop": 64}}', encoding="utf-8"
    )
    changed = with_settings(PRESETS["quick"], read_config_file(toml))
    assert changed == with_settings(PRESETS["quick"], read_config_file(as_json))
    assert (changed.steps, changed.encoder_lr, changed.representation_stages) == (9, 1.0, (3, -1))
    assert (changed.batch.crop, changed.batch.samples) == (64, PRESETS["quick"].batch.samples)


def test_one_coefficient_of_a_table_can_be_changed_alone() -> None:
    changed = with_settings(PRESETS["paper"], {"relations": {"coefficients": {"prototypes": 0.5}}})
    assert changed.relations.coefficients["prototypes"] == 0.5
    assert changed.relations.coefficients["within_family"] == PRESETS["paper"].relations.coefficients["within_family"]


@pytest.mark.parametrize(("letter", "case"), [("A", "B7"), ("C", "B1"), ("E", "A1"), ("F", "A3")])
def test_a_letter_of_before_is_told_its_published_name(letter: str, case: str) -> None:
    with pytest.raises(SettingError, match=f"now called by its published name, {case}"):
        with_settings(PRESETS["paper"], {"relations": letter})


def test_another_architecture_starts_the_numbers_of_stages_anew() -> None:
    changed = with_settings(PRESETS["quick"], {"architecture": "timm:resnet18"})
    assert (changed.frozen_stages, changed.retention_stages, changed.representation_stages) == (0, None, (-1,))
    assert with_settings(PRESETS["quick"], {"architecture": "resnet18", "frozen_stages": 2}).frozen_stages == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stepps": 3}, "did you mean 'steps'"),
        ({"batch": {"crops": 3}}, "did you mean 'batch.crop'"),
        ({"relations": {"coefficients": {"prototype": 1.0}}}, "did you mean 'relations.coefficients.prototypes'"),
        ({"zzz": 3}, "Known are architecture"),
        ({"steps": "many"}, "steps is 'many'; it should be a whole number"),
        ({"steps": True}, "steps is True"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"steps": 0}, "at least 1"),
        ({"encoder_lr": -1.0}, "above 0"),
        ({"encoder_lr": float("nan")}, "finite number"),
        ({"weight_decay": -1.0}, "below 0"),
        ({"momentum": 1.0}, "momentum"),
        ({"stage_lr_decay": 0.0}, "stage_lr_decay"),
        ({"schedule": "linear"}, "'constant', 'cosine', 'cosine-restarts'"),
        ({"architecture": "vgg"}, "mobilenet_v2"),
        ({"amp": "int8"}, "bf16"),
        ({"representation_stages": []}, "at least one stage"),
        ({"representation_stages": ["a"]}, "representation_stages is 'a'"),
        ({"freeze_batchnorm": 1}, "true or false"),
        ({"batch": 3}, "batch is 3; it should be a table with samples"),
        ({"init": "none", "freeze_batchnorm": True}, "no statistics to keep"),
    ],
)
def test_a_mistake_is_named_with_what_to_write(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        with_settings(PRESETS["quick"], changes)


def test_starting_from_nothing_keeps_nothing_of_the_start() -> None:
    scratch = with_settings(PRESETS["quick"], {"init": "none"})
    assert (scratch.freeze_batchnorm, scratch.retention) == (False, 0.0)
    assert with_settings(PRESETS["quick"], {"init": "none", "retention": 2.0}).retention == 2.0


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", "steps ="), ("a.json", "[1]"), ("a.yaml", ""), ("no.toml", None)]
)
def test_a_file_that_is_no_table_of_settings_is_refused_by_name(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SettingError, match=name):
        read_config_file(tmp_path / name)


def test_differences_name_nested_fields_and_both_values() -> None:
    quick = PRESETS["quick"]
    other = with_settings(replace(quick, seed=7), {"batch": {"levels": 3}, "features": {"scales": [1.0]}})
    found = differences(quick, other)
    assert found["seed"] == (0, 7)
    assert found["batch.levels"] == (5, 3)
    assert found["features.scales"] == (None, (1.0,))
    assert differences(quick, quick) == {}
