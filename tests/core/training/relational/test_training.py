"""Training of the relational networks: resumed without a trace, from any start, with what it needs to be remade."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.pictures import save_soft
from helpers.runs import numbers, stop_after

from shamisa_cli.core.errors import ModelError, SettingError, TrainingError
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.model_folders import load_networks
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.overrides import with_overrides
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.metrics import read_metrics
from shamisa_cli.core.training.photo_record import PhotoRecord
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.relational.batches import SetSettings
from shamisa_cli.core.training.relational.config import PRESETS, RelationalTrainingConfig, with_settings
from shamisa_cli.core.training.relational.step import learning_rate
from shamisa_cli.core.training.relational.task import RelationalTask
from shamisa_cli.core.training.run import train_run
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord
from shamisa_cli.core.training.settings import defaults, preset
from shamisa_cli.core.training.trainer import Trainer

SETS = SetSettings(sets=1, versions=3, crop=64)
PHOTOGRAPHS = PhotoRecord(("/photos",), (), 3, 0, "f")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three soft pictures, a little larger than a crop."""
    return save_soft(tmp_path_factory.mktemp("photos"), 3, (120, 96), squares=9)


@pytest.fixture(scope="module")
def config(start_weights: Path) -> RelationalTrainingConfig:
    return RelationalTrainingConfig(init=str(start_weights), steps=2, batch=SETS, warmup_steps=0)


def trainer(config: RelationalTrainingConfig, folder: Path, photos: list[Path]) -> Trainer:
    batches = RelationalTask().batches(photos, [], config, workers=0, world=World())
    return Trainer(config, RunFolder(folder), batches, checkpoint_every=1)


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, config: RelationalTrainingConfig, photos: list[Path]
) -> tuple[RunFolder, list[Any]]:
    """A run that came to its end, and what it told at each step; for tests that only read it."""
    run = RunFolder(tmp_path_factory.mktemp("finished") / "night-1")
    record = RunRecord(config, PHOTOGRAPHS, "shamisa train --task relational --data photos")
    told: list[Any] = []
    torch.manual_seed(7)
    drawn = torch.get_rng_state()
    assert train_run(run, record, photos, photos[:1], on_step=told.append) == run.model
    assert torch.equal(torch.get_rng_state(), drawn)  # the caller's random numbers go on as they would have
    return run, told


# --- runs --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("trunk_lr", [0.0, 1e-4], ids=["trunk frozen", "trunk trained"])
def test_an_interrupted_run_gives_the_numbers_of_an_uninterrupted_one(
    tmp_path: Path, config: RelationalTrainingConfig, photos: list[Path], trunk_lr: float
) -> None:
    config = replace(config, trunk_lr=trunk_lr)
    whole = trainer(config, tmp_path / "whole", photos)
    started = {name: value.clone() for name, value in whole.learner.state_dict().items()}
    assert whole.train()

    assert not trainer(config, tmp_path / "parts", photos).train(stop=stop_after(1))
    torch.manual_seed(99)  # a new process has another generator
    again = trainer(config, tmp_path / "parts", photos)
    assert again.step == 1
    assert again.train()

    assert numbers(again.run_folder.path) == numbers(whole.run_folder.path)
    states = [each.learner.state_dict() for each in (whole, again)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    moved = {name for name, value in states[0].items() if not torch.equal(value, started[name])}
    assert {"model.distortion.head.leave.weight", "model.scoring.direct.weight"} <= moved
    in_trunk = {name for name in moved if ".trunk." in name}
    assert bool(in_trunk) == bool(trunk_lr)
    assert not any("running" in name or "tracked" in name for name in in_trunk)


def test_a_run_leaves_a_model_with_its_card_and_its_log(
    finished: tuple[RunFolder, list[Any]], config: RelationalTrainingConfig
) -> None:
    run, seen = finished
    found = ModelFolder.open(run.model, RelationalConfig)
    assert (found.name, found.config) == ("night-1", config.network)
    assert "Relational training of 2 steps on 3 photographs" in found.origin
    model = load_networks(ModelFolder.open(run.model, RelationalConfig))
    with torch.inference_mode():
        a, b = torch.rand(2, 1, 3, 64, 64)
        assert model(a, a)[1].item() == 0
        assert model(a, b)[1].item() == -model(b, a)[1].item() != 0
    logs = {"run.json", "metrics.jsonl", "curves.png"}
    assert {path.name for path in run.model.iterdir()} == {
        "relational.json",
        "relational.safetensors",
        "README.md",
        *logs,
    }
    assert all((run.model / name).read_bytes() == (run.path / name).read_bytes() for name in logs)
    card = (run.model / "README.md").read_text()
    for words in ("# night-1", "2 (6 crops)", "trunk frozen", "--task relational", "![Loss", "1 sets of 3 versions"):
        assert words in card
    lines = read_metrics(run.metrics)
    assert [line["step"] for line in lines] == [0, 1]
    assert {"total", "dense", "score", "order", "grad_norm", "trunk_lr", "head_lr", "crops_per_s"} <= lines[0].keys()
    assert seen[1].to_json() == lines[1]
    assert {"dense", "score", "order"} <= seen[1].terms.keys() < lines[1].keys()


@pytest.mark.slow
def test_a_run_can_start_from_an_earlier_model(
    tmp_path: Path,
    config: RelationalTrainingConfig,
    photos: list[Path],
    finished: tuple[RunFolder, list[Any]],
) -> None:
    first, _ = finished
    going_on = replace(config, init=str(first.model), seed=5)
    state = trainer(going_on, tmp_path / "second", photos).learner.model.state_dict()
    earlier = load_networks(ModelFolder.open(first.model, RelationalConfig)).state_dict()
    assert all(torch.equal(state[name], value) for name, value in earlier.items())
    with pytest.raises(ModelError, match="networks of a different shape"):
        trainer(replace(going_on, network=RelationalConfig(width=32)), tmp_path / "third", photos)


def test_a_loss_that_breaks_stops_the_run_and_names_step_and_term(
    tmp_path: Path, config: RelationalTrainingConfig, photos: list[Path]
) -> None:
    going = trainer(config, tmp_path, photos)
    with torch.no_grad():
        going.learner.model.scoring.direct.weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"not finite at step 0: .*Try lower trunk_lr and head_lr.*step 0 in"):
        going.train()


# --- batches -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_batches_depend_on_seed_step_and_rank_and_not_on_workers(
    config: RelationalTrainingConfig, photos: list[Path]
) -> None:
    def pictures(workers: int = 0, rank: int = 0, seed: int = 0, start: int = 1) -> list[torch.Tensor]:
        changed = replace(config, seed=seed, steps=4)
        source = RelationalTask().batches(photos, [], changed, workers=workers, world=World(rank, 2))
        return [batch.pictures for batch in islice(source(start), 2)]

    alone = pictures()
    assert alone[0].shape == (1, 3, 3, 64, 64)
    assert all(map(torch.equal, alone, pictures(workers=2)))
    assert torch.equal(alone[1], pictures(start=2)[0])
    for other in (pictures(rank=1), pictures(seed=1)):
        assert not any(map(torch.equal, alone, other))


def test_a_photograph_lost_on_the_way_is_told_in_a_sentence(config: RelationalTrainingConfig, tmp_path: Path) -> None:
    missing = [tmp_path / "gone.png"]
    source = RelationalTask().batches(missing, [], config, workers=1, world=World())
    with pytest.raises(TrainingError, match=r"can be read"):
        next(iter(source(0)))
    with pytest.raises(SettingError, match="pristine"):
        RelationalTask().batches([], missing, config, workers=0, world=World())


def test_a_missing_package_is_known_before_a_run_begins(
    tmp_path: Path, config: RelationalTrainingConfig, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "piq", None)
    with pytest.raises(SettingError, match=r"piq.*shamisa\[train\]"):
        train_run(RunFolder(tmp_path / "run"), RunRecord(config, PHOTOGRAPHS), photos, [])
    assert not (tmp_path / "run").exists()


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_settings_come_back_from_a_record_with_their_task(tmp_path: Path, name: str) -> None:
    run = RunFolder(tmp_path)
    record = RunRecord(replace(PRESETS[name], batch=replace(SETS, left_out=("jitter",))), PHOTOGRAPHS)
    run.write(record)
    assert run.read() == record
    assert json.loads(run.record.read_text())["task"] == "relational"


def test_a_record_from_before_there_were_tasks_is_shamisas(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record = RunRecord(TrainingConfig(steps=7), PHOTOGRAPHS)
    entries = record.to_json()
    del entries["task"]
    run.record.write_text(json.dumps(entries))
    assert run.read() == record
    with pytest.raises(TrainingError, match="is of the task shamisa, but relational was requested"):
        run.check_resumable(RunRecord(RelationalTrainingConfig(), PHOTOGRAPHS))
    run.record.write_text(json.dumps({**entries, "task": "cooking"}))
    with pytest.raises(TrainingError, match="no task 'cooking'"):
        run.read()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stepps": 3}, "did you mean 'steps'"),
        ({"batch": {"crop": 70}}, "multiple of 16"),
        ({"batch": {"left_out": ["blurr"]}}, "no operator 'blurr'"),
        ({"batch": {"left_out": ["gaussian blur", "lens blur", "motion blur"]}}, "every operator of blur"),
        ({"head_lr": 0}, "head_lr is 0"),
        ({"trunk_lr": -1}, "trunk_lr is -1"),
        ({"steps": 0}, "steps is 0"),
        ({"init": "none", "trunk_lr": 0}, "the trunk would stay random"),
        ({"network": {"widht": 9}}, "did you mean 'network.width'"),
    ],
)
def test_settings_that_cannot_be_used_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        with_settings(PRESETS["quick"], changes)


def test_starting_from_nothing_trains_the_trunk() -> None:
    assert with_settings(PRESETS["quick"], {"init": "none"}).trunk_lr == PRESETS["quick"].head_lr
    assert with_settings(PRESETS["quick"], {"init": "none", "trunk_lr": 1e-6}).trunk_lr == 1e-6


def test_presets_are_found_by_task() -> None:
    assert preset("relational", "quick") == PRESETS["quick"]
    assert defaults("relational") == RelationalTrainingConfig()
    with pytest.raises(SettingError, match="no preset 'huge' of relational; there are paper, quick"):
        preset("relational", "huge")
    with pytest.raises(SettingError, match="no task 'cooking'; there are shamisa, relational"):
        preset("cooking", "quick")


def test_rates_rise_then_fall_along_a_cosine() -> None:
    config = with_overrides(RelationalTrainingConfig(), {"steps": 111, "warmup_steps": 10, "minimum_lr": 0.1})
    rates = [learning_rate(1.0, config, step) for step in range(111)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:], 0.1 + 0.45 * (1 + np.cos(np.linspace(0, np.pi, 101))))


def test_a_frozen_trunk_keeps_its_statistics_also_when_told_to_train(config: RelationalTrainingConfig) -> None:
    work = RelationalTask().work(config, World(), begun=False)
    model: RelationalModel = work.learner.train().model
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert not any(parameter.requires_grad for parameter in model.distortion.trunk.parameters())
    assert all(parameter.requires_grad for parameter in model.distortion.head.parameters())
