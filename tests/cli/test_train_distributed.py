"""`torchrun -m shamisa_cli train`: two real processes, one of which may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from helpers.pictures import save_soft
from helpers.program import ENVIRONMENT, run_here
from helpers.runs import numbers

pytestmark = pytest.mark.xdist_group("many processes")

SETTINGS = """
init = "none"
steps = 4
projector_hidden = 32
projector_out = 16
schedule = "constant"
[batch]
crop = 32
photos = 2
scales = 1
compositions = 2
levels = 2
retained = 2
"""
CROPS = 2 * (1 + 2 * 2)
"""Of one process's batch."""
OPTIONS = ("--workers", "0", "--device", "cpu", "--checkpoint-every", "2")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    save_soft(folder, 4, (80, 72))
    return folder


def on_two(*arguments: str | Path) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return [*launcher, "-m", "shamisa_cli", "train", *map(str, arguments)]


def finished(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def second_process(launcher: int) -> int:
    children = Path(f"/proc/{launcher}/task/{launcher}/children")
    if not children.exists():
        pytest.skip("this system does not list the children of a process")
    return int(children.read_text().split()[-1])


@pytest.mark.slow
def test_two_processes_train_one_model_and_a_killed_one_ends_the_run_which_goes_on_later(
    photos: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(SETTINGS)
    begin = ("--data", photos, "--config", settings, *OPTIONS)

    whole = tmp_path / "whole"
    done = finished(on_two(*begin, "-o", whole))

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{whole / 'model'}\n"
    assert done.stderr.count("step 4/4") == 1
    assert [(line["step"], line["crops"]) for line in numbers(whole)] == [(step, 2 * CROPS) for step in range(4)]
    assert json.loads((whole / "run.json").read_text())["processes"] == 2
    assert "torchrun --nproc-per-node 2 -m shamisa_cli train" in (whole / "model" / "README.md").read_text()

    cut = tmp_path / "cut"
    settings.write_text(SETTINGS.replace("steps = 4", "steps = 100000"))
    with subprocess.Popen(
        on_two(*begin, "-o", cut), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=ENVIRONMENT
    ) as process:
        while not (cut / "checkpoints" / "step-00000002").is_dir():
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"ended early, with {process.wait(timeout=0.05)}")
        os.kill(second_process(process.pid), signal.SIGKILL)
        _, said = process.communicate(timeout=100)
    assert process.returncode not in (0, None)
    assert "Process 0 of 2 lost the others" in said
    assert "continue with --resume" in said

    record = json.loads((cut / "run.json").read_text())
    record["config"]["steps"] = len(numbers(cut)) + 2
    (cut / "run.json").write_text(json.dumps(record))
    alone = run_here("train", "-o", cut, "--resume", "--device", "cpu")
    assert (alone.returncode, "was started with 2 processes, and now there are 1" in alone.stderr) == (2, True)
    resumed = finished(on_two("-o", cut, "--resume", *OPTIONS))
    assert resumed.returncode == 0, resumed.stderr
    assert [line["step"] for line in numbers(cut)] == list(range(record["config"]["steps"]))
    assert numbers(cut)[:4] == numbers(whole)
