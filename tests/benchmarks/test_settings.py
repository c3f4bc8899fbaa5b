"""The files of settings in benchmarks/ name settings and stages that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from shamisa_cli.core.training.pretraining.config import PRESETS, read_config_file, with_settings
from shamisa_cli.core.training.pretraining.learner import Learner

FILES = sorted((Path(__file__).resolve().parents[2] / "benchmarks").glob("*.toml"))


def test_there_are_files() -> None:
    assert {file.stem for file in FILES} >= {"lite2", "gpu-hour"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_run_can_begin_with_the_settings(file: Path) -> None:
    config = with_settings(PRESETS["quick"], read_config_file(file))
    learner = Learner(config, weights=None)
    trained = [stage for stage in learner.backbone.stage_modules() if any(p.requires_grad for p in stage.parameters())]
    assert len(trained) == len(learner.backbone.stage_modules()) - config.frozen_stages
