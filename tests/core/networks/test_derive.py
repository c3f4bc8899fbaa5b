"""The same encoder with different features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.derive import derive
from shamisa_cli.core.networks.model_folders import load_encoder

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)


def test_it_reads_fewer_places_with_the_same_weights(model_folder: Path, tmp_path: Path) -> None:
    made = derive(model_folder, tmp_path / "small", view_size=64, stages=(1,))
    source = ModelFolder.open(model_folder, EncoderConfig)
    assert made.weights.read_bytes() == source.weights.read_bytes()
    assert made.fingerprint != source.fingerprint
    assert made.config.preprocessing == replace(source.config.preprocessing, view_size=64)
    assert made.config.features == replace(source.config.features, stages=(1,))
    whole, part = (
        load_encoder(ModelFolder.open(folder, EncoderConfig)).embed(PIXELS) for folder in (model_folder, made.path)
    )
    assert np.allclose(part, np.concatenate([whole[:16], whole[16:32]]), atol=1e-6)
    assert "| features | 32 per picture |" in (made.path / "README.md").read_text()


def test_nothing_but_the_name_changes_unless_asked_for(model_folder: Path, tmp_path: Path) -> None:
    assert derive(model_folder, tmp_path / "same").config == ModelFolder.open(model_folder, EncoderConfig).config


def test_what_exists_is_never_replaced(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for folder in (model_folder, tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(SettingError, match="not an empty folder"):
            derive(model_folder, folder)


def test_stages_that_are_not_there_are_refused(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="tiny has no stage 40; its stages are 0 to 18"):
        derive(model_folder, tmp_path / "new", stages=(3, 40))
    with pytest.raises(ModelError, match="scales"):
        derive(model_folder, tmp_path / "new", scales=(2.0,))
    assert not (tmp_path / "new").exists()
