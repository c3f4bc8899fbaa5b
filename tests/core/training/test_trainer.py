"""Training: it learns, it can be interrupted without a trace, and it stops when numbers break."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.runs import numbers, stop_after
from safetensors.torch import load_file

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.model_folders import load_encoder
from shamisa_cli.core.training.metrics import read_metrics
from shamisa_cli.core.training.model_card import save_trained_encoder
from shamisa_cli.core.training.photo_record import PhotoRecord
from shamisa_cli.core.training.pretraining.batch_recipe import TrainingBatch
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.learner import Learner
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord
from shamisa_cli.core.training.trainer import BatchSource, Trainer


def trained(config: TrainingConfig, folder: Path, batches: BatchSource, **options: int) -> Trainer:
    trainer = Trainer(config, RunFolder(folder), batches, **options)
    assert trainer.train()
    return trainer


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_config: TrainingConfig, batches: BatchSource) -> Trainer:
    """A run of the small configuration that nothing interrupted, for tests that only read it."""
    return trained(small_config, tmp_path_factory.mktemp("finished") / "night-1", batches, checkpoint_every=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"retention": 5.0, "stage_lr_decay": 0.8, "frozen_stages": 2},
        {"optimiser": "sgd", "freeze_batchnorm": False, "gradient_clip": 1.0, "channels_last": True},
    ],
    ids=["adamw-retention", "sgd-batchnorm"],
)
def test_an_interrupted_run_gives_the_numbers_of_an_uninterrupted_one(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource, changes: dict[str, Any]
) -> None:
    config = replace(small_config, **changes)
    whole = trained(config, tmp_path / "whole", batches, checkpoint_every=2)
    parts = RunFolder(tmp_path / "parts")
    assert not Trainer(config, parts, batches, checkpoint_every=2).train(stop=stop_after(1))
    torch.manual_seed(99)  # a new process has another generator
    again = trained(config, parts.path, batches, checkpoint_every=2)
    assert numbers(parts.path) == numbers(tmp_path / "whole")
    states = [trainer.learner.state_dict() for trainer in (whole, again)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_steps_after_the_last_checkpoint_are_done_again_without_doubles(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource, finished: Trainer
) -> None:
    class CrashError(Exception):
        pass

    def crash_at_3(metrics: Any) -> None:
        if metrics.step == 3:
            raise CrashError

    run = RunFolder(tmp_path / "run")
    with pytest.raises(CrashError):
        Trainer(small_config, run, batches, checkpoint_every=2).train(on_step=crash_at_3)
    assert [line["step"] for line in numbers(run.path)] == [0, 1, 2, 3]
    resumed = Trainer(small_config, run, batches, checkpoint_every=2)
    assert resumed.step == 2
    resumed.train()
    assert numbers(run.path) == numbers(finished.run_folder.path)


def test_the_loss_falls(tmp_path: Path, small_config: TrainingConfig, batches: BatchSource) -> None:
    trained(replace(small_config, steps=10), tmp_path, lambda step: repeated(batches, step))
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert lines[-1]["total"] < 0.8 * lines[0]["total"]


def repeated(batches: BatchSource, start_step: int) -> Iterator[TrainingBatch]:
    """The same crops at every step."""
    batch = next(iter(batches(0)))
    step = start_step
    while True:
        yield replace(batch, step=step)
        step += 1


def test_calibration_starts_z_near_unit_spread_and_torch_alone_near_nothing(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    spreads = []
    for calibrate in (True, False):
        config = replace(small_config, steps=1, calibrate_projector=calibrate)
        trained(config, tmp_path / str(calibrate), batches)
        spreads.append(read_metrics(tmp_path / str(calibrate) / "metrics.jsonl")[0]["z_std"])
    assert spreads[0] == pytest.approx(1, abs=0.25)
    assert spreads[1] < 0.1


def test_what_is_frozen_stays_and_the_rest_moves(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    start = load_file(small_config.init)
    trainer = trained(replace(small_config, frozen_stages=3, steps=2), tmp_path, batches)
    state = trainer.learner.backbone.state_dict()
    moved = {name for name in start if not torch.equal(start[name], state[name])}
    assert not any(name.split(".")[1] in ("0", "1", "2") for name in moved)
    assert not any("running" in name or "tracked" in name for name in moved)
    assert {"features.3.conv.0.0.weight", "features.18.0.weight"} <= moved


def test_statistics_move_where_they_are_not_frozen(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    start = load_file(small_config.init)
    trainer = trained(replace(small_config, freeze_batchnorm=False, steps=1), tmp_path, batches)
    name = "features.0.1.running_mean"
    assert not torch.equal(start[name], trainer.learner.backbone.state_dict()[name])


def test_retention_keeps_features_nearer_to_the_start(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    config = replace(small_config, encoder_lr=1e-5, steps=6)
    drift = []
    for retention in (1e-9, 1e4):
        folder = tmp_path / str(retention)
        trained(replace(config, retention=retention), folder, lambda step: repeated(batches, step))
        lines = read_metrics(folder / "metrics.jsonl")
        assert lines[0]["retention"] == pytest.approx(0, abs=1e-5)
        drift.append(lines[-1]["retention"])
    assert drift[1] < 0.5 * drift[0]


def test_a_representation_can_join_several_stages(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    config = replace(small_config, representation_stages=(3, -1), steps=1, retention=1.0)
    trainer = trained(config, tmp_path, batches)
    batch = next(iter(batches(0)))
    h = trainer.learner.represent(batch.crops).h
    assert h.shape[1] == sum(trainer.learner.backbone.stage_channels[stage] for stage in (3, 18))
    assert torch.allclose(h.norm(dim=1), torch.ones(len(h)), atol=1e-5)
    halves = h.split([trainer.learner.backbone.stage_channels[3], 1280], dim=1)
    assert all(torch.allclose(half.norm(dim=1), torch.full((len(h),), math.sqrt(0.5))) for half in halves)


def test_references_and_distorted_crops_pass_batch_norm_apart(
    small_config: TrainingConfig, batches: BatchSource
) -> None:
    config = replace(small_config, init="none", freeze_batchnorm=False)
    learner, batch = Learner(config, None), next(iter(batches(0)))
    references = config.batch.references
    expected = [learner.represent(crops).h for crops in (batch.crops[:references], batch.crops[references:])]

    seen = learner(batch.crops, batch.nodes)

    torch.testing.assert_close(seen.h, torch.cat(expected))
    assert not torch.allclose(seen.h, learner.represent(batch.crops).h, atol=1e-3)


def broken_at(batches: BatchSource, broken_step: int, value: float) -> BatchSource:
    def source(start_step: int) -> Iterator[TrainingBatch]:
        for batch in batches(start_step):
            crops = batch.crops.clone()
            if batch.step == broken_step:
                crops[0, 0, 0, 0] = value
            yield replace(batch, crops=crops)

    return source


def test_a_loss_that_breaks_stops_the_run_and_names_step_and_term(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    run = RunFolder(tmp_path)
    trainer = Trainer(small_config, run, broken_at(batches, 3, math.nan), checkpoint_every=2)
    with pytest.raises(TrainingError, match=r"not finite at step 3: variance is nan.*lower encoder_lr.*step 2"):
        trainer.train()
    assert [line["step"] for line in read_metrics(run.metrics)] == [0, 1, 2]
    assert trained(small_config, tmp_path, batches).step == small_config.steps


def test_numbers_looked_at_a_few_steps_at_a_time_are_the_same(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource, finished: Trainer
) -> None:
    told: list[int] = []
    seldom = Trainer(small_config, RunFolder(tmp_path / "seldom"), batches, checkpoint_every=3)
    seldom._readings.every = 2  # as on a GPU, where to look is to wait
    seldom.train(on_step=lambda metrics: told.append(metrics.step))
    assert told == [0, 1, 2, 3]
    assert numbers(tmp_path / "seldom") == numbers(finished.run_folder.path)

    broken = Trainer(small_config, RunFolder(tmp_path / "broken"), broken_at(batches, 1, math.nan), checkpoint_every=2)
    broken._readings.every = 3
    with pytest.raises(TrainingError, match="not finite at step 1: variance"):
        broken.train()
    assert broken.run_folder.checkpoints.steps() == [0]


def test_a_gradient_that_breaks_stops_the_run_before_the_weights_move(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    trainer = Trainer(small_config, RunFolder(tmp_path), batches)
    weight = trainer.learner.projector.second.weight
    weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match=r"gradient of heads.projector.second.weight is not finite at step 0"):
        trainer.train()
    assert bool(trainer.learner.projector.first.weight.isfinite().all())


def test_batches_that_end_early_or_skip_a_step_are_noticed(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource
) -> None:
    with pytest.raises(TrainingError, match="Step 0 got no batch"):
        Trainer(small_config, RunFolder(tmp_path / "a"), lambda _: []).train()
    with pytest.raises(TrainingError, match="Step 0 got the batch of step 1"):
        Trainer(small_config, RunFolder(tmp_path / "b"), lambda step: batches(step + 1)).train()


@pytest.mark.parametrize(
    "changes", [{"representation_stages": (19,)}, {"frozen_stages": 20}, {"representation_stages": (-20,)}]
)
def test_stages_that_an_architecture_lacks_are_refused_before_anything_is_written(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource, changes: dict[str, Any]
) -> None:
    with pytest.raises(SettingError, match="mobilenet_v2 has"):
        Trainer(replace(small_config, **changes), RunFolder(tmp_path), batches)
    assert not list(tmp_path.iterdir())


def record_of(config: TrainingConfig, fingerprint: str = "f") -> RunRecord:
    return RunRecord(config, PhotoRecord(("/photos",), (), 3, 0, fingerprint), "shamisa train --data photos")


def test_a_finished_run_leaves_a_model_that_reads_every_stage(
    tmp_path: Path, small_config: TrainingConfig, finished: Trainer
) -> None:
    run = RunFolder(Path(shutil.copytree(finished.run_folder.path, tmp_path / "night-1")))
    config = replace(small_config, features=None)
    folder = save_trained_encoder(run, record_of(config), finished.learner.backbone, seconds=3600)
    encoder = load_encoder(ModelFolder.open(folder.path, EncoderConfig))
    assert encoder.config.features.stages == tuple(range(19))
    assert encoder.config.features.moments == ("mean", "std")
    state = finished.learner.backbone.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in encoder.state().items())
    card = (folder.path / "README.md").read_text()
    for words in ("# night-1", "3 pristine", "4 (56 crops)", "1.00 h", "shamisa train --data photos"):
        assert words in card


def test_a_run_record_comes_back_from_its_file(tmp_path: Path, small_config: TrainingConfig) -> None:
    run, record = RunFolder(tmp_path), record_of(small_config)
    run.check_new()
    run.write(record)
    assert run.read() == record
    with pytest.raises(TrainingError, match="already holds a run"):
        run.check_new()


def test_a_run_is_not_resumed_with_other_settings_or_photographs(tmp_path: Path, small_config: TrainingConfig) -> None:
    run, record = RunFolder(tmp_path), record_of(small_config)
    run.write(record)
    run.check_resumable(record)
    changed = replace(small_config, seed=4, batch=replace(small_config.batch, levels=2))
    with pytest.raises(TrainingError, match=r"seed was 0 and is now 4; batch.levels was 3 and is now 2"):
        run.check_resumable(record_of(changed))
    with pytest.raises(TrainingError, match="not the same"):
        run.check_resumable(record_of(small_config, fingerprint="g"))


def test_steps_may_be_added_only_where_the_schedule_does_not_depend_on_them(
    tmp_path: Path, small_config: TrainingConfig
) -> None:
    for schedule, may_grow in (("constant", True), ("cosine-restarts", True), ("cosine", False)):
        config = replace(small_config, schedule=schedule)
        run = RunFolder(tmp_path / schedule)
        run.write(record_of(config))
        longer, shorter = (record_of(replace(config, steps=steps)) for steps in (60, 3))
        with pytest.raises(TrainingError, match="steps was 4 and is now 3"):
            run.check_resumable(shorter)
        if may_grow:
            run.check_resumable(longer)
        else:
            with pytest.raises(TrainingError, match="steps was 4 and is now 60"):
                run.check_resumable(longer)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "config": {"no": 1}}'])
def test_a_broken_record_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(TrainingError, match=r"run\.json"):
        RunFolder(tmp_path).read()


def test_there_is_nothing_to_resume_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run in"):
        RunFolder(tmp_path).read()


def test_a_finished_run_resumed_changes_nothing_and_holds_no_pickle(
    tmp_path: Path, small_config: TrainingConfig, batches: BatchSource, finished: Trainer
) -> None:
    shutil.copytree(finished.run_folder.path, tmp_path, dirs_exist_ok=True)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    trained(small_config, tmp_path, batches, checkpoint_every=2)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.suffix for path in before} == {".json", ".jsonl", ".safetensors"}
    for path in before:
        if path.suffix == ".json":
            json.loads(path.read_text())
        if path.suffix == ".safetensors":
            load_file(path)
