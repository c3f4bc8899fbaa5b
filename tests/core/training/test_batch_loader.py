"""Batches from worker processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from PIL import Image

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.task import batch_source


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for index, path in enumerate(paths):
        Image.linear_gradient("L").rotate(30 * index).convert("RGB").resize((96, 96)).save(path)
    return paths


def test_workers_change_neither_batches_nor_the_global_generator(
    photos: list[Path], small_config: TrainingConfig
) -> None:
    before = torch.get_rng_state()
    alone, helped = (
        list(islice(batch_source(photos, [], replace(small_config, steps=8), workers=workers)(3), 3))
        for workers in (0, 2)
    )
    assert [batch.step for batch in alone] == [batch.step for batch in helped] == [3, 4, 5]
    assert all(torch.equal(a.crops, b.crops) for a, b in zip(alone, helped, strict=True))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photograph_lost_on_the_way_is_told_in_a_sentence(
    photos: list[Path], small_config: TrainingConfig, workers: int
) -> None:
    source = batch_source(photos, [], small_config, workers=workers)
    photos[0].unlink()
    photos[1].unlink()
    with pytest.raises(TrainingError, match="can be read, and 2 are needed") as caught:
        next(source(0))
    assert "Traceback" not in str(caught.value)


def test_too_few_photographs_are_known_at_once(photos: list[Path], small_config: TrainingConfig) -> None:
    config = replace(small_config, batch=replace(small_config.batch, photos=4))
    with pytest.raises(SettingError, match="4 different pristine photographs"):
        batch_source(photos, [], config, workers=0)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker as Linux lists it")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_killed_while_a_step_is_computed_is_a_sentence(
    kind: signal.Signals,
) -> None:
    code = f"""
import os, time
from itertools import count
from pathlib import Path
from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.training.batch_loader import lost_workers, worker_items
def stream():
    return count()
if __name__ == "__main__":
    try:
        with lost_workers():
            items = worker_items(stream, workers=1, pin=False)
            next(items)
            (child,) = Path(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read_text().split()
            os.kill(int(child), {int(kind)})
            time.sleep(2)
            while True:
                next(items)
    except TrainingError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("A worker process, which makes batches, ended ("), done.stderr
