"""`shamisa train --task relational` as a person uses it: real processes on a few small pictures."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from helpers.forked import begin_program
from helpers.pictures import save_soft
from helpers.program import Finished, run_here
from helpers.runs import numbers
from PIL import Image

from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.model_folders import load_networks
from shamisa_cli.core.relational.config import RelationalConfig

SETTINGS = """
init = "none"
steps = 3
[batch]
sets = 1
versions = 2
crop = 64
"""
EASIEST = ("--workers", "0", "--device", "cpu", "--checkpoint-every", "1")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    save_soft(folder, 3, (100, 90))
    return folder


@pytest.fixture(scope="module")
def begin(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    """How a small run begins."""
    settings = tmp_path_factory.mktemp("settings") / "settings.toml"
    settings.write_text(SETTINGS)
    return ("--task", "relational", "--data", photos, "--config", settings)


def here(*arguments: str | Path) -> Finished:
    """The command in this process."""
    return run_here("train", *arguments)


@pytest.mark.slow
def test_a_run_killed_on_its_way_resumes_to_the_numbers_and_weights_of_a_whole_one(
    begin: tuple[str | Path, ...], tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = here(*begin, "-o", whole, *EASIEST)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{whole / 'model'}\n"
    assert "step 3/3" in done.stderr
    assert f"shamisa compare --model {whole / 'model'}" in done.stderr
    assert load_networks(ModelFolder.open(whole / "model", RelationalConfig))
    assert json.loads((whole / "run.json").read_text())["task"] == "relational"

    process = begin_program(["train", *begin, "-o", cut, *EASIEST], cwd=tmp_path)
    while not numbers(cut):
        process.join(0.02)
        assert process.exitcode is None, "ended early"
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    resumed = here("-o", cut, "--resume", *EASIEST)
    assert resumed.returncode == 0, resumed.stderr
    assert numbers(cut) == numbers(whole)
    weights = [run / "model" / "relational.safetensors" for run in (cut, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()

    other = here("-o", whole, "--resume", "--task", "shamisa", *EASIEST)
    assert (other.returncode, "is of the task relational, but shamisa was requested" in other.stderr) == (2, True)
    other = here("-o", whole, "--resume", "--seed", "3", *EASIEST)
    assert (other.returncode, "seed was 0 and is now 3" in other.stderr) == (2, True)


def test_mistakes_are_explained_and_leave_nothing_behind(begin: tuple[str | Path, ...], tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "encoder.toml").write_text("projector_out = 3")
    for arguments, words in (
        ((*begin, "-o", run, "--real-share", "0.5"), "no setting 'batch.real_share'"),
        ((*begin[:4], "-o", run, "--config", tmp_path / "encoder.toml"), "no setting 'projector_out'"),
        ((*begin, "-o", run, "--init", tmp_path / "no.safetensors"), "no.safetensors"),
        ((*begin, "-o", run, "--init", tmp_path), "is not a relational model"),
        (("--task", "cooking", "-o", run), "relational"),
        (("--task", "relational", "-o", run, "--preview", tmp_path / "sheet.png"), "--data DIR"),
    ):
        result = here(*arguments, *EASIEST)
        said = " ".join(re.sub(r"[│╭╰╮╯─]", " ", result.stderr).split())
        assert (result.returncode, words in said) == (2, True), said
        assert not run.exists(), arguments


@pytest.mark.slow
def test_a_preview_alone_draws_pairs_and_trains_nothing(photos: Path, tmp_path: Path) -> None:
    result = here("--task", "relational", "--data", photos, "--preview", tmp_path / "sheet.png")
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 1000
