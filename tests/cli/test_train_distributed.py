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
from helpers.forked import begin_program
from helpers.pictures import save_soft
from helpers.program import ENVIRONMENT, run_here
from helpers.ranks import free_port
from helpers.runs import numbers

SETTINGS = """
init = "none"
steps = 100000
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


def finished_on_two(*arguments: str | Path, said: Path) -> list[int]:
    """The exit codes of `shamisa train` in two processes with the variables that torchrun sets."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    runs = [
        begin_program(["train", *arguments], cwd=said.parent, env=place | {"RANK": rank, "LOCAL_RANK": rank}, said=said)
        for rank in "01"
    ]
    for run in runs:
        run.join(100)
    return [run.exitcode for run in runs]


def second_process(launcher: int) -> int:
    children = Path(f"/proc/{launcher}/task/{launcher}/children")
    if not children.exists():
        pytest.skip("this system does not list the children of a process")
    return int(children.read_text().split()[-1])


@pytest.mark.slow
def test_two_processes_train_one_model_and_a_killed_one_ends_the_run_which_goes_on_later(
    photos: Path, tmp_path: Path
) -> None:
    settings, run, said = (tmp_path / name for name in ("settings.toml", "run", "said.txt"))
    settings.write_text(SETTINGS)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    train = ["-m", "shamisa_cli", "train", "--data", photos, "--config", settings, "-o", run, *OPTIONS]
    with subprocess.Popen(
        [*launcher, *map(str, train)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=ENVIRONMENT
    ) as process:
        while len(numbers(run)) < 4 or not (run / "checkpoints" / "step-00000002").is_dir():
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"ended early, with {process.wait(timeout=0.05)}")
        os.kill(second_process(process.pid), signal.SIGKILL)
        _, complaint = process.communicate(timeout=100)
    assert process.returncode not in (0, None)
    assert "Process 0 of 2 lost the others" in complaint
    assert "continue with --resume" in complaint

    cut = numbers(run)
    record = json.loads((run / "run.json").read_text())
    assert record["processes"] == 2
    record["config"]["steps"] = last = len(cut) + 2
    (run / "run.json").write_text(json.dumps(record))
    alone = run_here("train", "-o", run, "--resume", "--device", "cpu")
    assert (alone.returncode, "was started with 2 processes, and now there are 1" in alone.stderr) == (2, True)
    assert finished_on_two("-o", run, "--resume", *OPTIONS, said=said) == [0, 0], said.read_text()
    assert f"{run / 'model'}\n" in said.read_text()
    assert said.read_text().count(f"step {last}/{last}") == 1
    assert [(line["step"], line["crops"]) for line in numbers(run)] == [(step, 2 * CROPS) for step in range(last)]
    assert numbers(run)[: len(cut)] == cut  # also those after the checkpoint, which are computed again
    assert "torchrun --nproc-per-node 2 -m shamisa_cli train" in (run / "model" / "README.md").read_text()
