"""`shamisa train` as a person uses it: real processes on a few small pictures."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.forked import begin_program
from helpers.pictures import save_soft
from helpers.program import ENVIRONMENT, Finished, run_here
from helpers.runs import numbers
from PIL import Image

from shamisa_cli.cli.training_display import Pace, duration, training_progress
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.model_folders import load_encoder
from shamisa_cli.core.training.metrics import read_metrics
from shamisa_cli.core.training.pretraining.step import StepMetrics

SETTINGS = """
init = "none"
steps = 6
projector_hidden = 32
projector_out = 16
schedule = "constant"
[batch]
crop = 32
photos = 2
scales = 1
compositions = 2
levels = 2
"""
EASIEST = ("--workers", "0", "--device", "cpu", "--checkpoint-every", "2")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    save_soft(folder, 4, (80, 72))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS)
    return path


def here(*arguments: str | Path) -> Finished:
    """The command in this process."""
    return run_here("train", *arguments)


@pytest.fixture(scope="session")
def whole_run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "settings.toml").write_text(SETTINGS)
    config = ("--config", folder / "settings.toml")
    return folder / "run", here("--data", photos, "-o", folder / "run", *config, *EASIEST)


@pytest.mark.slow
def test_a_run_ends_with_a_model_and_tells_what_comes_next(
    whole_run: tuple[Path, Finished],
) -> None:
    run, done = whole_run
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{run / 'model'}\n"
    assert "step 6/6" in done.stderr
    assert "shamisa fit-probe" in done.stderr
    assert [line["step"] for line in numbers(run)] == list(range(6))
    assert load_encoder(ModelFolder.open(run / "model", EncoderConfig)).config.architecture == "mobilenet_v2"
    assert (run / "curves.png").stat().st_size > 10_000
    assert "shamisa train --data" in (run / "model" / "README.md").read_text()


def wait_for_steps(process: Any, run: Path, steps: int) -> None:
    while len(read_metrics(run / "metrics.jsonl")) < steps:
        process.join(0.02)
        assert process.exitcode is None, "ended early"


@pytest.mark.slow
def test_a_run_killed_at_any_moment_resumes_to_the_same_numbers(
    whole_run: tuple[Path, Finished], photos: Path, settings: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = begin_program(["train", "--data", photos, "-o", run, "--config", settings, *EASIEST], cwd=tmp_path)
    generator = random.Random(2)
    wait_for_steps(process, run, generator.randint(1, 4))
    process.join(generator.uniform(0, 0.1))
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    resumed = here("-o", run, "--resume", *EASIEST[:2], "--device", "cpu")
    assert resumed.returncode == 0, resumed.stderr
    assert numbers(run) == numbers(whole_run[0])
    weights = [folder / "model" / "encoder.safetensors" for folder in (run, whole_run[0])]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_run_asked_to_stop_writes_a_checkpoint_and_says_how_to_go_on(
    photos: Path, settings: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    run = tmp_path / "run"
    settings.write_text(SETTINGS.replace("steps = 6", "steps = 100000"))
    train = ["train", "--data", photos, "-o", run, "--config", settings, "--workers", "1", "--device", "cpu"]
    process = begin_program(train, cwd=tmp_path, said=tmp_path / "said.txt")
    wait_for_steps(process, run, 1)
    os.killpg(process.pid, kind)  # as a terminal or a cluster does: workers get it too
    process.join()
    said = (tmp_path / "said.txt").read_text()
    assert process.exitcode == 128 + kind
    assert f"shamisa train -o {run} --resume" in said
    assert "Traceback" not in said
    done = len(read_metrics(run / "metrics.jsonl"))
    assert (run / "checkpoints" / f"step-{done:08d}").is_dir()


@pytest.mark.slow
def test_a_folder_with_a_run_is_not_used_again_by_mistake(whole_run: tuple[Path, Finished], photos: Path) -> None:
    run = whole_run[0]
    again = here("--data", photos, "-o", run, *EASIEST)
    assert (again.returncode, "already holds a run" in again.stderr) == (2, True)
    other = here("-o", run, "--resume", "--seed", "5", *EASIEST)
    assert (other.returncode, "seed was 0 and is now 5" in other.stderr) == (2, True)
    other = here("-o", run, "--resume", "--preset", "quick", *EASIEST)
    assert (other.returncode, "projector_hidden was 32 and is now 1024" in other.stderr) == (2, True)
    fewer = here("-o", run, "--resume", "--data", photos / "photo0.png", *EASIEST)
    assert (fewer.returncode, "not the same" in fewer.stderr) == (2, True)
    assert [line["step"] for line in numbers(run)] == list(range(6))


@pytest.mark.slow
def test_a_run_that_goes_on_with_another_version_of_a_package_says_so_and_so_does_its_card(
    whole_run: tuple[Path, Finished], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(whole_run[0], tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    (now,) = record["software"]
    record["software"] = [re.sub(r"torch [^,]+", "torch 0.1", now)]
    (run / "run.json").write_text(json.dumps(record))
    shutil.rmtree(run / "model")  # as if the run had ended before it
    done = here("-o", run, "--resume", *EASIEST)
    assert done.returncode == 0, done.stderr
    assert re.search(r"warning: .* was trained by torch 0\.1, and goes on with torch \d", " ".join(done.stderr.split()))
    assert f"torch 0.1; then {now}" in (run / "model" / "README.md").read_text()
    assert "warning" not in here("-o", run, "--resume", *EASIEST).stderr


def test_mistakes_are_explained_and_leave_nothing_behind(photos: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin = ("--data", photos, "-o", run)
    (tmp_path / "typo.toml").write_text("stepps = 3")
    (tmp_path / "unused.toml").write_text("batch.retained = 0")
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights")
    for arguments, words in (
        (("--data", photos), "-o RUN"),
        (("-o", run), "--data DIR"),
        (("-o", run, "--resume"), "no run in"),
        (("--data", tmp_path / "nothing", "-o", run), "nothing"),
        (("--data", photos / "photo0.png", "-o", run, "--init", "none"), "different pristine photographs"),
        ((*begin, "--config", tmp_path / "typo.toml"), "did you mean 'steps'"),
        ((*begin, "--init", tmp_path / "no.safetensors"), "no.safetensors"),
        ((*begin, "--init", tmp_path / "damaged.safetensors"), "damaged.safetensors"),
        ((*begin, "--init", "none", "--real", photos, "--config", tmp_path / "unused.toml"), "real_share and"),
        ((*begin, "--init", "none", "--real-share", "0.5"), "real photographs and there are 0"),
        ((*begin, "--preset", "huge"), "paper"),
        ((*begin, "--steps", "0"), "--steps"),
    ):
        result = here(*arguments, "--workers", "0", "--device", "cpu")
        said = " ".join(re.sub(r"[│╭╰╮╯─]", " ", result.stderr).split())
        assert (result.returncode, words in said) == (2, True), said
        assert not run.exists(), arguments


def test_help_shows_every_option_with_a_default_and_loads_no_torch() -> None:
    script = "import sys; from shamisa_cli.cli.commands import train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, check=False).returncode == 0
    shown = here("--help").stdout
    for option in ("--data", "--real", "--preset", "--config", "--init", "--steps", "--seed", "--workers", "--preview"):
        assert option in shown


@pytest.mark.slow
def test_a_preview_alone_draws_the_engine_and_trains_nothing(photos: Path, tmp_path: Path) -> None:
    result = here("--data", photos, "--preview", tmp_path / "sheet.png")
    assert result.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 300


def step_metrics(step: int, crops_per_s: float = 14.0) -> StepMetrics:
    return StepMetrics(step, 12.5, 0.5, 1.0, 2.0, 1.5, 0.0, 0.9, 0.4, 3.0, 1e-4, 1e-3, 14, crops_per_s, 0.0)


def test_away_from_a_terminal_progress_is_a_line_every_fifty_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress(120) as (begin, show):
        begin(0)
        for step in range(120):
            show(step_metrics(step))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["step 50/120", "step 100/120", "step 120/120"]
    assert "loss 12.5" in lines[1]
    assert lines[1].endswith("70 s left") or lines[1].endswith("1 min left")


def test_time_left_follows_the_pace() -> None:
    pace = Pace(61)
    assert pace.left(step_metrics(0)) == "60 s"
    assert [duration(seconds) for seconds in (5, 119.9, 300, 7500)] == ["5 s", "2 min", "5 min", "2 h 05 min"]


def test_metrics_of_a_run_are_json_a_line(tmp_path: Path) -> None:
    from shamisa_cli.core.training.metrics import MetricsLog

    with MetricsLog(tmp_path / "metrics.jsonl", 0) as log:
        log.append(step_metrics(0))
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["total"] == 12.5
