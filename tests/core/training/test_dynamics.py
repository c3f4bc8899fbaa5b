"""Agreement with people at each checkpoint of a run, judged beside the training and never twice."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.program import run_here
from PIL import Image, ImageFilter
from safetensors.torch import load_file

from shamisa_cli.core.errors import InputNotFoundError, SettingError, TrainingError
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table
from shamisa_cli.core.probe.protocol import run_protocol
from shamisa_cli.core.probe.step_agreement import StepAgreement, append_agreement, read_agreements
from shamisa_cli.core.scoring import provenance
from shamisa_cli.core.training.checkpoints import Checkpoint
from shamisa_cli.core.training.dynamics import CheckpointBenchmark, encoder_config, probe_checkpoints
from shamisa_cli.core.training.dynamics_figure import draw_agreements
from shamisa_cli.core.training.photo_record import PhotoRecord
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord
from shamisa_cli.core.training.trainer import BatchSource, Trainer

PICTURES = 24


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> MosTable:
    """Pictures whose score falls with their blur."""
    folder = tmp_path_factory.mktemp("scored")
    lines = ["image,mos,kind"]
    for number in range(PICTURES):
        noise = np.random.default_rng(number).integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(number / 6)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{5 - number / 6:.3f},{'odd' if number % 2 else 'even'}")
    (folder / "mos.csv").write_text("\n".join(lines) + "\n")
    return read_mos_table(folder / "mos.csv", subset_column="kind")


@pytest.fixture(scope="module")
def judged_run(
    tmp_path_factory: pytest.TempPathFactory, small_config: TrainingConfig, start_weights: Path, table: MosTable
) -> tuple[RunFolder, list[StepAgreement]]:
    """A run with checkpoints of steps 0, 2 and 4, whose weights drift away from the start, and how they agree."""
    folder = RunFolder(tmp_path_factory.mktemp("judged") / "run")
    folder.path.mkdir()
    folder.write(RunRecord(small_config, PhotoRecord((), (), 0, 0, "")))
    start = load_file(start_weights)
    for step in (0, 2, 4):
        generator = torch.Generator().manual_seed(step)
        tensors = {
            f"learner.backbone.{name}": value + 0.01 * step * torch.randn(value.shape, generator=generator)
            if value.is_floating_point() and "running" not in name
            else value
            for name, value in start.items()
        }
        folder.checkpoints.save(Checkpoint(step, tensors | {"learner.heads.z": torch.zeros(1)}, {}))
    found, computed = judged(folder, table)
    assert computed == [0, 2, 4]
    return folder, found


@pytest.fixture
def run(judged_run: tuple[RunFolder, list[StepAgreement]], tmp_path: Path) -> RunFolder:
    """A copy of that run, of the test's own."""
    return RunFolder(Path(shutil.copytree(judged_run[0].path, tmp_path / "run")))


@pytest.fixture
def new_run(run: RunFolder) -> RunFolder:
    """The same before anybody looked at its checkpoints."""
    (run.path / "benchmark.jsonl").unlink()
    return run


@pytest.fixture
def first(judged_run: tuple[RunFolder, list[StepAgreement]]) -> list[StepAgreement]:
    """How the checkpoints agree."""
    return judged_run[1]


def judged(run: RunFolder, table: MosTable, **settings: int) -> tuple[list[StepAgreement], list[int]]:
    """All results, and the steps that were computed for them."""
    computed: list[StepAgreement] = []
    found = probe_checkpoints(
        run, CheckpointBenchmark("mos.csv", table), jobs=1, on_step=lambda new, _all: computed.append(new), **settings
    )
    return found, [agreement.step for agreement in computed]


def as_json(agreements: list[StepAgreement]) -> list[dict[str, object]]:
    """Without nan, which is not equal to itself."""
    return [agreement.to_json() for agreement in agreements]


def test_each_checkpoint_is_judged_and_never_again(run: RunFolder, table: MosTable, first: list[StepAgreement]) -> None:
    assert [agreement.step for agreement in first] == [0, 2, 4]
    assert all(len(agreement.srcc) == 4 and agreement.pictures == PICTURES for agreement in first)
    assert set(first[0].subsets) == {"even", "odd"}
    again, computed = judged(run, table)
    assert computed == []
    assert as_json(again) == as_json(first)


def test_checkpoints_that_a_trainer_writes_can_be_judged(
    new_run: RunFolder,
    table: MosTable,
    small_config: TrainingConfig,
    batches: BatchSource,
    first: list[StepAgreement],
) -> None:
    shutil.rmtree(new_run.checkpoints.folder)
    assert Trainer(small_config, new_run, batches, checkpoint_every=2).train()
    trained, computed = judged(new_run, table)
    assert computed == [0, 2, 4]
    assert trained[0].srcc == pytest.approx(first[0].srcc)


def test_the_figures_are_those_of_a_regressor_on_half_size_features(
    table: MosTable, small_config: TrainingConfig, start_weights: Path, first: list[StepAgreement]
) -> None:
    config = encoder_config(small_config)
    assert (config.preprocessing.view_size, config.features.scales) == (256, (1.0,))
    encoder = TorchEncoder.create(config, load_file(start_weights))
    features = np.stack([encoder.embed(decode(path, view_size=256).pixels) for path in table.paths])
    expected = run_protocol(features, table.mos, subsets=table.subsets, splits=4, seed=0)
    start = first[0]
    assert start.srcc == pytest.approx([split.overall.srcc for split in expected.splits])
    assert start.median() == pytest.approx(expected.spread("srcc").median)
    assert start.median("odd") == pytest.approx(expected.spread("srcc", "odd").median, nan_ok=True)


def test_each_network_reads_pictures_with_its_own_normalisation(small_config: TrainingConfig) -> None:
    config = encoder_config(replace(small_config, architecture="efficientnet_lite2"))
    assert config.preprocessing.mean == config.preprocessing.std == (0.5, 0.5, 0.5)
    assert config.preprocessing.view_size == 256


def test_a_killed_line_costs_that_step_alone(run: RunFolder, table: MosTable, first: list[StepAgreement]) -> None:
    lines = run.path / "benchmark.jsonl"
    lines.write_bytes(lines.read_bytes()[:-20])
    again, computed = judged(run, table)
    assert computed == [4]
    assert as_json(again) == as_json(first)
    assert [json.loads(line)["step"] for line in lines.read_text().splitlines() if line.endswith("}")] == [0, 2, 4]


def test_other_pictures_are_another_benchmark_in_the_same_file(run: RunFolder, table: MosTable) -> None:
    part = CheckpointBenchmark.of(Path("mos.csv"), table, limit=12, seed=1)
    found = probe_checkpoints(run, part, jobs=1)
    assert [(agreement.step, agreement.pictures) for agreement in found] == [(0, 12), (2, 12), (4, 12)]
    assert len(read_agreements(run.path / "benchmark.jsonl")) == 6
    assert part.table.paths == CheckpointBenchmark.of(Path("mos.csv"), table, limit=12, seed=1).table.paths


def test_only_every_nth_step_and_the_newest_are_judged(new_run: RunFolder, table: MosTable) -> None:
    assert judged(new_run, table, every=3)[1] == [0, 4]


def test_the_start_is_read_from_its_file_where_its_checkpoint_is_gone(
    new_run: RunFolder, table: MosTable, first: list[StepAgreement]
) -> None:
    shutil.rmtree(new_run.path / "checkpoints" / "step-00000000")
    assert judged(new_run, table)[0][0].srcc == pytest.approx(first[0].srcc)


def test_a_checkpoint_that_training_removes_meanwhile_is_passed_over(
    new_run: RunFolder, table: MosTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = type(new_run.checkpoints).load

    def removing(store: object, step: int) -> object:
        if step == 2:
            shutil.rmtree(new_run.path / "checkpoints" / "step-00000002")
        return load(store, step)  # type: ignore[arg-type]

    monkeypatch.setattr(type(new_run.checkpoints), "load", removing)
    assert judged(new_run, table)[1] == [0, 4]


def test_what_cannot_be_judged_is_said(run: RunFolder, table: MosTable, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run"):
        judged(RunFolder(tmp_path / "nothing"), table)
    with pytest.raises(SettingError, match="at least 10"):
        CheckpointBenchmark.of(Path("mos.csv"), table, limit=3)
    gone = MosTable(tuple(tmp_path / path.name for path in table.paths), table.mos)
    with pytest.raises(InputNotFoundError, match="0 of the 24 pictures"):
        judged(run, gone)
    relational = RunFolder(tmp_path / "relational")
    relational.path.mkdir()
    relational.write(RunRecord(RelationalTrainingConfig(), PhotoRecord((), (), 0, 0, "")))
    with pytest.raises(SettingError, match="task relational"):
        judged(relational, table)


def test_undefined_figures_survive_the_file(tmp_path: Path) -> None:
    kept = StepAgreement(3, "key", "mos.csv", 9, (0.5, float("nan")), (0.25, 1.0), {"ss01": (float("nan"),) * 2})
    append_agreement(tmp_path / "lines.jsonl", kept)
    (read,) = read_agreements(tmp_path / "lines.jsonl", "key")
    assert read.to_json() == kept.to_json()
    assert read.median() == 0.5
    assert np.isnan(read.median("ss01"))


def test_the_picture_has_a_panel_for_each_subset(tmp_path: Path) -> None:
    def at(step: int) -> StepAgreement:
        return StepAgreement(step, "key", "$mos.csv", 9, (0.5, 0.6), (0.5, 0.6), {"a": (0.1, 0.2), "b$_": (0.3, 0.4)})

    draw_agreements(tmp_path / "nothing.png", [])
    assert not (tmp_path / "nothing.png").exists()
    widths = []
    for subsets in (2, 0):
        agreements = [at(step) if subsets else StepAgreement(step, "k", "t", 9, (0.5,), (0.5,), {}) for step in (0, 5)]
        draw_agreements(tmp_path / "benchmark.png", agreements)
        with Image.open(tmp_path / "benchmark.png") as picture:
            widths.append(picture.width)
    assert widths[0] > widths[1]


def test_judge_at_the_command_line(run: RunFolder, table: MosTable) -> None:
    mos = table.paths[0].parent / "mos-and-one-that-is-gone.csv"
    mos.write_text((mos.parent / "mos.csv").read_text() + "gone.png,3,odd\n")
    judge = ("evaluate", "--run", run.path, "--mos", mos, "--subset-column", "kind", "--limit", PICTURES + 1)
    shown = run_here(*map(str, judge))
    assert [line.split()[0] for line in shown.stdout.splitlines() if line.strip()[:1].isdigit()] == ["0", "2", "4"]
    assert shown.returncode == 3  # one picture could not be read
    again = run_here(*map(str, judge), "--format", "json", "--skip-unreadable")
    assert again.returncode == 0, again.stderr
    assert [step["step"] for step in json.loads(again.stdout)["steps"]] == [0, 2, 4]
    assert (run.path / "benchmark.png").is_file()


def test_each_picture_that_cannot_be_read_is_named_also_where_no_step_is_computed_again(
    new_run: RunFolder, table: MosTable, tmp_path: Path
) -> None:
    gone, damaged = tmp_path / "gone.png", tmp_path / "damaged.png"
    damaged.write_bytes(table.paths[0].read_bytes()[:99])
    mos = tmp_path / "with-two-more.csv"
    rows = [f"{path},{score}" for path, score in zip((*table.paths, gone, damaged), (*table.mos, 2, 3), strict=True)]
    mos.write_text("\n".join(["image,mos", *rows]) + "\n")
    for _ in range(2):
        shown = run_here("evaluate", "--run", new_run.path, "--mos", mos, "--format", "json")
        assert shown.returncode == 3
        assert f"{gone} does not exist" in shown.stderr
        assert f"{damaged} " in shown.stderr
        assert [len(step["errors"]) for step in json.loads(shown.stdout)["steps"]] == [2, 2, 2]


def damage(run: RunFolder, step: int) -> None:
    (run.checkpoints.folder / f"step-{step:08d}" / "state.safetensors").write_bytes(b"damaged")


def test_a_damaged_checkpoint_is_named_and_the_others_are_judged(new_run: RunFolder, table: MosTable) -> None:
    damage(new_run, 2)
    evaluate = ("evaluate", "--run", new_run.path, "--mos", table.file, "--limit", PICTURES)
    for _ in range(2):
        shown = run_here(*map(str, evaluate))
        assert [line.split()[0] for line in shown.stdout.splitlines() if line.strip()[:1].isdigit()] == ["0", "4"]
        assert f"The checkpoint {new_run.checkpoints.folder / 'step-00000002'} is damaged" in shown.stderr
        assert shown.returncode == 3


def test_a_run_whose_checkpoints_are_all_damaged_says_so(new_run: RunFolder, table: MosTable) -> None:
    for step in (0, 2, 4):
        damage(new_run, step)
    with pytest.raises(TrainingError, match=r"None of the checkpoints of .* can be read\. The checkpoint .*00000000"):
        judged(new_run, table)


def test_figures_of_other_pictures_another_run_or_other_packages_are_not_those_of_this_call(
    table: MosTable, small_config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [Path(shutil.copy(path, tmp_path)).rename(tmp_path / f"{path.stem}.bmp") for path in table.paths]
    benchmark = CheckpointBenchmark("mos.csv", replace(table, paths=tuple(pictures)))
    record, encoder = RunRecord(small_config, PhotoRecord((), (), 0, 0, "f")), encoder_config(small_config)

    def key(record: RunRecord = record, device: str = "cpu") -> str:
        return benchmark.key(encoder, record, device)

    keys = [key()]
    assert key(replace(record, config=replace(small_config, steps=9))) == keys[0]
    assert key(device="cuda:1") == key(device="cuda:0") != keys[0]
    keys.append(key(replace(record, config=replace(small_config, seed=5))))
    keys.append(key(replace(record, photographs=PhotoRecord((), (), 0, 0, "other photographs"))))
    for name, value in (("READING", 99), ("_version", lambda package: "99.9" if package == "torch" else "1")):
        with monkeypatch.context() as patched:
            patched.setattr(provenance, name, value)
            keys.append(key())
    content = bytearray(pictures[3].read_bytes())
    content[-1] ^= 255
    pictures[3].write_bytes(content)
    keys.append(key())
    pictures[3].unlink()
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_a_new_run_takes_no_figures_of_an_earlier_one_for_its_own(run: RunFolder) -> None:
    shutil.rmtree(run.checkpoints.folder)
    run.record.unlink()
    with pytest.raises(TrainingError, match=r"benchmark\.jsonl is there and of no run here"):
        run.check_new()
    run.agreements.unlink()
    run.check_new()
