"""Settings chosen for a run, new or going on."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.scoring import provenance
from shamisa_cli.core.torch_state import sole_random_numbers
from shamisa_cli.core.training.run import RunSettings, plan_run, resumed_run, train
from shamisa_cli.core.training.run_folder import RunFolder
from shamisa_cli.core.training.settings import preset


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def test_a_second_training_in_one_process_is_refused(photos: Path, tmp_path: Path) -> None:
    with sole_random_numbers(), pytest.raises(SettingError, match="runs in this process already"):
        train([photos], tmp_path / "run", RunSettings(changes={"steps": 1}), device="cpu", workers=0)
    state = torch.random.get_rng_state()
    with sole_random_numbers():
        torch.manual_seed(3)
    assert torch.equal(torch.random.get_rng_state(), state)


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


def begun(photos: Path, tmp_path: Path, **record: Any) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.write(replace(plan_run(RunSettings().settings(), [photos], [], "shamisa train").record, **record))
    return run


@pytest.mark.parametrize("place", ["beginning", "middle", "end"])
def test_a_photograph_replaced_by_another_of_the_same_size_is_noticed(photos: Path, tmp_path: Path, place: str) -> None:
    picture = photos / "c.bmp"
    Image.new("RGB", (600, 600)).save(picture)
    run, content = begun(photos, tmp_path), bytearray(picture.read_bytes())
    run.check_resumable(resumed_run(run, RunSettings()).record)
    content[{"beginning": 1000, "middle": len(content) // 2, "end": -1}[place]] ^= 255
    picture.write_bytes(content)
    with pytest.raises(TrainingError, match="the ones named now are not the same"):
        run.check_resumable(resumed_run(run, RunSettings()).record)


def test_a_photograph_that_cannot_be_opened_ends_no_run_before_it_begins(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    run = begun(photos, tmp_path)
    planned = resumed_run(run, RunSettings(), [photos, tmp_path / "pipe.png"])
    assert planned.record.photographs.pristine_count == 3


def test_a_run_of_an_early_version_goes_on_and_says_what_its_record_lacks(photos: Path, tmp_path: Path) -> None:
    run = begun(photos, tmp_path)
    entries = json.loads(run.record.read_text())
    names = [[(path.name, path.stat().st_size) for path in sorted(photos.iterdir())], []]
    entries["photographs"]["fingerprint"] = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    del entries["software"], entries["photographs"]["fingerprint_of"]
    run.record.write_text(json.dumps(entries))
    record = resumed_run(run, RunSettings()).record
    run.check_resumable(record)
    assert "does not tell the versions of packages" in run.software_warning(record)
    run.write(record)
    assert run.read().software[0] == "not recorded"
    again = resumed_run(run, RunSettings()).record
    run.check_resumable(again)
    assert run.software_warning(again) == ""
    (photos / "d.png").write_bytes(b"another photograph")
    with pytest.raises(TrainingError, match="not the same"):
        run.check_resumable(resumed_run(run, RunSettings()).record)


def test_a_run_goes_on_with_other_packages_after_a_warning_and_keeps_both_on_record(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = begun(photos, tmp_path), provenance._version
    before = resumed_run(run, RunSettings()).record
    assert run.software_warning(before) == ""
    monkeypatch.setattr(provenance, "_version", lambda package: "99.9" if package == "torch" else real(package))
    record = resumed_run(run, RunSettings()).record
    run.check_resumable(record)
    assert re.search(r"trained by torch [\d.+a-z]+, and goes on with torch 99\.9: ", run.software_warning(record))
    run.write(record)
    assert run.read().software == (*before.software, before.software[0].replace(f"torch {real('torch')}", "torch 99.9"))
    assert run.software_warning(resumed_run(run, RunSettings()).record) == ""


def test_a_run_does_not_go_on_where_photographs_are_read_in_another_way(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(photos, tmp_path)
    monkeypatch.setattr(provenance, "READING", 99)
    with pytest.raises(TrainingError, match=r"\(reading \d+\) than this one \(reading 99\)\. Resume it with that"):
        run.check_resumable(resumed_run(run, RunSettings()).record)


@pytest.mark.parametrize("named", ["A0", "D1b", "B1"])
def test_a_run_with_an_ablation_does_not_go_on_as_another(named: str) -> None:
    begun = RunSettings(ablation="B7").settings()
    with pytest.raises(TrainingError, match=f"started with the ablation B7, and now {named} is chosen"):
        RunSettings(ablation=named).resumed(begun)
    assert RunSettings(ablation="B7").resumed(begun) == begun
    assert RunSettings().resumed(begun) == begun
    whole = RunSettings(ablation="A0").settings()
    assert RunSettings(ablation="A0").resumed(whole) == whole
