"""What is damaged in the folder of a run costs itself alone: a line, a checkpoint, a picture of the curves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.pictures import save_soft
from helpers.runs import stop_after
from safetensors import SafetensorError

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.probe.step_agreement import StepAgreement, append_agreement, read_agreements
from shamisa_cli.core.training import checkpoints
from shamisa_cli.core.training.metrics import read_metrics
from shamisa_cli.core.training.photo_record import PhotoRecord
from shamisa_cli.core.training.relational.batches import SetSettings
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig
from shamisa_cli.core.training.run import train_run
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord

DAMAGED = {
    "no crops": b'{"step": 0}',
    "a byte that is no text": b'{"step": 0, "total": 1, "crops": 3}\xff\xfe',
    "a text for a number": b'{"step": 0, "total": "x", "crops": 3}',
    "nothing for a number": b'{"step": 0, "total": null, "crops": 3}',
    "a number without end": b'{"step": 0, "total": ' + b"9" * 400 + b', "crops": 3}',
    "a step that is none": b'{"step": 0.5, "total": 1, "crops": 3}',
    "yes for a number": b'{"step": true, "total": 1, "crops": 3}',
    "a list": b'{"step": 0, "total": 1, "crops": 3, "dense": [1]}',
    "no object": b"[0]",
    "cut off": b'{"step": 0, "tot',
    "depth": b"[" * 100_000,
}
LINE = pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return save_soft(tmp_path_factory.mktemp("photos"), 3, (120, 96), squares=9)


@pytest.fixture(scope="module")
def record(start_weights: Path) -> RunRecord:
    batch = SetSettings(sets=1, versions=3, crop=64)
    config = RelationalTrainingConfig(init=str(start_weights), steps=3, batch=batch, warmup_steps=0)
    return RunRecord(config, PhotoRecord(("/photos",), (), 3, 0, "f"))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, record: RunRecord, photos: list[Path]) -> Path:
    """A run of three steps that was stopped after two."""
    run = RunFolder(tmp_path_factory.mktemp("stopped") / "run")
    assert train_run(run, record, photos, [], checkpoint_every=1, stop=stop_after(2)) is None
    return run.path


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(stopped, tmp_path / "run")))


@LINE
def test_a_damaged_line_of_metrics_is_passed_over(stopped: Path, tmp_path: Path, line: bytes) -> None:
    whole = (stopped / "metrics.jsonl").read_bytes()
    (tmp_path / "metrics.jsonl").write_bytes(line + b"\n" + whole)
    assert read_metrics(tmp_path / "metrics.jsonl") == read_metrics(stopped / "metrics.jsonl")
    assert len(whole.splitlines()) == 2


@LINE
def test_a_damaged_line_of_agreements_is_passed_over(tmp_path: Path, line: bytes) -> None:
    kept = StepAgreement(3, "key", "mos.csv", 9, (0.5,), (0.25,), {})
    (tmp_path / "benchmark.jsonl").write_bytes(line + b"\n")
    append_agreement(tmp_path / "benchmark.jsonl", kept)
    assert read_agreements(tmp_path / "benchmark.jsonl") == [kept]


def test_a_run_with_damaged_lines_is_resumed_to_its_model(
    run: RunFolder, record: RunRecord, photos: list[Path]
) -> None:
    run.metrics.write_bytes(b"\n".join(DAMAGED.values()) + b"\n" + run.metrics.read_bytes())
    warnings: list[str] = []
    assert train_run(run, record, photos, [], resume=True, on_warning=warnings.append) == run.model
    assert warnings == []
    assert [json.loads(line)["step"] for line in run.metrics.read_text().splitlines()] == [0, 1, 2]
    assert "Last step" in (run.model / "README.md").read_text()


def test_curves_that_cannot_be_drawn_cost_no_model(run: RunFolder, record: RunRecord, photos: list[Path]) -> None:
    run.curves.unlink()
    (run.curves / "mine").mkdir(parents=True)
    warnings: list[str] = []
    assert train_run(run, record, photos, [], resume=True, on_warning=warnings.append) == run.model
    [said] = warnings
    assert f"{run.curves} could not be drawn from {run.metrics}" in said


NUMBERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another step": lambda entries: entries.update(step=7),
    "no step": lambda entries: entries.pop("step"),
    "endless seconds": lambda entries: entries["numbers"].update(seconds=float("inf")),
    "a text for seconds": lambda entries: entries["numbers"].update(seconds="x"),
    "no list of files": lambda entries: entries.update(files=None),
}


@pytest.mark.parametrize("damage", NUMBERS.values(), ids=NUMBERS)
def test_a_checkpoint_whose_numbers_cannot_be_is_passed_over_and_named(
    run: RunFolder, record: RunRecord, photos: list[Path], damage: Callable[[dict[str, Any]], object]
) -> None:
    newest = run.checkpoints.folder / "step-00000002" / "checkpoint.json"
    entries = json.loads(newest.read_text())
    damage(entries)
    newest.write_text(json.dumps(entries))
    begun: list[int] = []
    warnings: list[str] = []
    train_run(run, record, photos, [], resume=True, on_begin=begun.append, on_warning=warnings.append)
    assert begun == [1]
    [said] = warnings
    assert said == f"The checkpoints of 2 steps in {run.path} cannot be read: the run goes on from step 1."


def test_metrics_that_are_no_file_are_told_before_any_work(
    run: RunFolder, record: RunRecord, photos: list[Path]
) -> None:
    run.metrics.unlink()
    run.metrics.mkdir()
    with pytest.raises(TrainingError, match=r"metrics\.jsonl is not a file"):
        train_run(run, record, photos, [], resume=True)


def test_a_run_that_goes_on_writes_and_keeps_checkpoints_as_it_began(
    record: RunRecord, photos: list[Path], tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    longer = replace(record, config=replace(record.config, steps=4))
    assert train_run(run, longer, photos, [], checkpoint_every=1, keep_every=1, stop=stop_after(1)) is None
    assert train_run(run, longer, photos, [], resume=True) is not None
    assert run.checkpoints.steps() == [0, 1, 2, 3, 4]
    with pytest.raises(SettingError, match="a multiple of that"):
        train_run(run, longer, photos, [], resume=True, checkpoint_every=3)


def test_a_full_disk_is_named_and_costs_the_last_steps_alone(
    record: RunRecord, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    save_file, written = checkpoints.save_file, []

    def full(tensors: dict[str, Any], path: Path) -> None:
        written.append(path)
        if len(written) == 3:
            path.write_bytes(b"as much as there was room for")
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save_file(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(TrainingError, match="step 2 could not be written: No space left on device") as told:
        train_run(run, record, photos, [], checkpoint_every=1)
    assert str(run.path) in str(told.value)
    assert "The checkpoint of step 1" in str(told.value)
    assert not list((run.path / "checkpoints").glob(".*"))
    assert run.checkpoints.steps() == [0, 1]
    assert train_run(run, record, photos, [], resume=True) is not None
