"""macOS and Windows, as far as they can be had here: without what they lack, all that is written is the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import other_system
from helpers.program import ENVIRONMENT, run_process


@pytest.fixture(params=["darwin", "win32"])
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(system: str, *commands: str, cwd: Path) -> str:
    """Run commands without spaces in their arguments, and give their stderr."""
    command = [sys.executable, other_system.__file__, system, json.dumps([each.split() for each in commands])]
    environment = ENVIRONMENT | {"LOCALAPPDATA": str(cwd), "HOME": str(cwd), "SHAMISA_CACHE": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def shoot(tmp_path: Path, example_photos: Path) -> Path:
    """Three photographs."""
    (tmp_path / "shoot").mkdir()
    for name in ("cat.jpg", "cat_white-noise.jpg", "coffee.jpg"):
        shutil.copy(example_photos / name, tmp_path / "shoot")
    return tmp_path / "shoot"


@pytest.mark.slow
@pytest.mark.usefixtures("shoot")
def test_scores_tables_and_caches_are_those_of_linux(system: str, tmp_path: Path) -> None:
    assert run_process("score", "shoot", "-o", "here.csv", cwd=tmp_path).returncode == 0
    commands = ("score shoot -o there.csv", "score shoot --baseline b.json --update-baseline", "embed shoot -o f.npz")
    assert "(3 from the cache)" in run(system, *commands, cwd=tmp_path)
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


@pytest.mark.slow
def test_pictures_are_rated_moved_and_brought_back(system: str, shoot: Path, tmp_path: Path) -> None:
    names = {file.name for file in shoot.iterdir()}
    move = "cull shoot --below 50 --move-to out --apply"
    run(system, "cull shoot --below 50 --apply", move, cwd=tmp_path)
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"cat_white-noise.jpg", "cat_white-noise.jpg.xmp"}
    run(system, "cull --undo out --apply", cwd=tmp_path)
    assert {file.name for file in shoot.iterdir()} == names | {f"{name}.xmp" for name in names}


@pytest.mark.slow
def test_a_checkpoint_is_written_and_read(system: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    program = f"""
import sys
sys.path.insert(0, {str(Path(other_system.__file__).parents[1])!r})
import torch, safetensors.torch
from helpers.other_system import pretend
pretend({system!r})
from pathlib import Path
from shamisa_cli.core.training.checkpoints import Checkpoint, CheckpointStore
store = CheckpointStore(Path("run"))
for step in range(3):
    store.save(Checkpoint(step, {{"a": torch.ones(2)}}, {{"b": 1.0}}))
print(store.latest().step)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "2\n", done.stderr
