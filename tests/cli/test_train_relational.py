"""`shamisa train --task relational` as a person uses it: real processes on a few small pictures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from shamisa_cli.cli.commands.train import train
from shamisa_cli.cli.errors import with_exit_code
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.model_folders import load_networks
from shamisa_cli.core.relational.shape import RelationalConfig
from shamisa_cli.core.training.metrics import read_metrics

CLOCK = ("crops_per_s", "wait_share")
SETTINGS = """
init = "none"
steps = 3
[batch]
sets = 1
versions = 2
crop = 64
"""
EASIEST = ("--workers", "0", "--device", "cpu", "--checkpoint-every", "1")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for index in range(3):
        coarse = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((100, 90), Image.Resampling.BICUBIC).save(folder / f"photo{index}.png")
    return folder


@pytest.fixture(scope="module")
def begin(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    """How a small run begins."""
    settings = tmp_path_factory.mktemp("settings") / "settings.toml"
    settings.write_text(SETTINGS)
    return ("--task", "relational", "--data", photos, "--config", settings)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "shamisa_cli", "train", *map(str, arguments)]


def finished(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, check=False)


def here(*arguments: str | Path) -> Any:
    """The command in this process: for what is answered before any training."""
    app = typer.Typer()
    app.command()(with_exit_code(train, debug=False))
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def numbers(run: Path) -> list[dict[str, Any]]:
    """The metrics without what a clock measured."""
    return [{name: line[name] for name in line if name not in CLOCK} for line in read_metrics(run / "metrics.jsonl")]


@pytest.mark.slow
def test_a_run_killed_on_its_way_resumes_to_the_numbers_and_weights_of_a_whole_one(
    begin: tuple[str | Path, ...], tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = finished(*begin, "-o", whole, *EASIEST)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{whole / 'model'}\n"
    assert "step 3/3" in done.stderr
    assert f"shamisa compare --model {whole / 'model'}" in done.stderr
    assert load_networks(ModelFolder.open(whole / "model", RelationalConfig))
    assert json.loads((whole / "run.json").read_text())["task"] == "relational"

    with subprocess.Popen(
        command(*begin, "-o", cut, *EASIEST), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ENVIRONMENT
    ) as process:
        while not numbers(cut):
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"ended early, with {process.wait(timeout=0.02)}")
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    resumed = finished("-o", cut, "--resume", *EASIEST)
    assert resumed.returncode == 0, resumed.stderr
    assert numbers(cut) == numbers(whole)
    weights = [run / "model" / "relational.safetensors" for run in (cut, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()

    other = here("-o", whole, "--resume", "--task", "shamisa", *EASIEST)
    assert (other.exit_code, "is of the task relational, and shamisa was asked for" in other.stderr) == (2, True)
    other = here("-o", whole, "--resume", "--seed", "3", *EASIEST)
    assert (other.exit_code, "seed was 0 and is now 3" in other.stderr) == (2, True)


def test_mistakes_are_explained_and_leave_nothing_behind(begin: tuple[str | Path, ...], tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "encoder.toml").write_text("projector_out = 3")
    for arguments, words in (
        ((*begin, "-o", run, "--real-share", "0.5"), "no setting 'batch.real_share'"),
        ((*begin[:4], "-o", run, "--config", tmp_path / "encoder.toml"), "no setting 'projector_out'"),
        ((*begin, "-o", run, "--init", tmp_path / "no.safetensors"), "no.safetensors"),
        ((*begin, "-o", run, "--init", tmp_path), "no relational model"),
        (("--task", "cooking", "-o", run), "relational"),
        (("--task", "relational", "--preview", tmp_path / "sheet.png"), "--data DIR"),
    ):
        result = here(*arguments, *EASIEST)
        said = " ".join(re.sub(r"[│╭╰╮╯─]", " ", result.stderr).split())
        assert (result.exit_code, words in said) == (2, True), said
        assert not run.exists(), arguments


@pytest.mark.slow
def test_a_preview_alone_draws_pairs_and_trains_nothing(photos: Path, tmp_path: Path) -> None:
    result = here("--task", "relational", "--data", photos, "--preview", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 1000
