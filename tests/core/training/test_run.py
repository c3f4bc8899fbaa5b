"""Settings chosen for a run, new or going on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.training.run import RunSettings, plan_run, resumed_run
from shamisa_cli.core.training.run_folder import RunFolder
from shamisa_cli.core.training.settings import preset


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def test_nothing_chosen_is_the_quick_preset_of_shamisa() -> None:
    assert RunSettings().settings() == preset("shamisa", "quick")
    assert RunSettings("relational", "paper").settings() == preset("relational", "paper")


def test_what_is_typed_goes_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("steps = 7\nseed = 3\n[batch]\nphotos = 2\n")
    settings = RunSettings(config=file, changes={"steps": 9, "batch": {"real_share": 0.25}}).settings()
    assert (settings.steps, settings.seed, settings.batch.photos) == (9, 3, 2)  # type: ignore[union-attr]
    assert settings.batch.real_share == 0.25  # type: ignore[union-attr]


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingError, match="There is no setting 'stepz'; did you mean 'steps'"):
        RunSettings(changes={"stepz": 1}).settings()
    with pytest.raises(SettingError, match="relational has none"):
        RunSettings("relational", ablation="A0").settings()


def test_a_run_that_goes_on_keeps_its_own_settings_unless_others_are_chosen() -> None:
    begun = replace(preset("shamisa", "paper"), steps=5)
    assert RunSettings().resumed(begun) == begun
    assert RunSettings("shamisa").resumed(begun) == begun
    assert RunSettings(changes={"steps": 6}).resumed(begun) == replace(begun, steps=6)
    assert RunSettings(preset="quick").resumed(begun) == preset("shamisa", "quick")
    assert RunSettings("relational").resumed(begun) == preset("relational", "quick")


def test_a_run_that_goes_on_draws_from_the_photographs_it_began_with(photos: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(TrainingError, match="There is no run in"):
        resumed_run(run, RunSettings())
    run.path.mkdir()
    begun = plan_run(RunSettings().settings(), [photos], [], "shamisa train")
    run.write(begun.record)
    assert resumed_run(run, RunSettings()) == begun
    assert [path.name for path in resumed_run(run, RunSettings(), [photos / "a.png"]).pristine] == ["a.png"]


@pytest.mark.parametrize("named", ["A0", "D1b", "B1"])
def test_a_run_with_an_ablation_does_not_go_on_as_another(named: str) -> None:
    begun = RunSettings(ablation="B7").settings()
    with pytest.raises(TrainingError, match=f"started with the ablation B7, and now {named} is chosen"):
        RunSettings(ablation=named).resumed(begun)
    assert RunSettings(ablation="B7").resumed(begun) == begun
    assert RunSettings().resumed(begun) == begun
    whole = RunSettings(ablation="A0").settings()
    assert RunSettings(ablation="A0").resumed(whole) == whole
