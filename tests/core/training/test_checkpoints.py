"""Checkpoints are whole or absent, whatever happens to the program or to the files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.forked import begin_code

from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.training.checkpoints import RECORD_FILE, TENSORS_FILE, Checkpoint, CheckpointStore


def checkpoint(step: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    tensors = {
        "learner.weight": torch.randn(3, 4, generator=generator),
        "learner.filters": torch.randn(2, 3, 4, 4, generator=generator).to(memory_format=torch.channels_last),
        "optimiser.weight.step": torch.tensor(float(step)),
        "rng.cpu": generator.get_state(),
    }
    return Checkpoint(step, tensors, {"seconds": step / 3})


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints")


def test_what_was_saved_comes_back_bit_for_bit(store: CheckpointStore) -> None:
    saved = checkpoint(7)
    store.save(saved)
    loaded = store.latest()
    assert loaded is not None
    assert (loaded.step, loaded.numbers) == (7, saved.numbers)
    assert loaded.tensors.keys() == saved.tensors.keys()
    assert all(torch.equal(loaded.tensors[name], value) for name, value in saved.tensors.items())


def test_the_last_two_stay_and_the_start(store: CheckpointStore) -> None:
    for step in (0, 5, 10, 15):
        store.save(checkpoint(step))
    assert store.steps() == [0, 10, 15]


def test_there_is_no_latest_where_nothing_was_saved(store: CheckpointStore) -> None:
    assert store.latest() is None
    assert store.steps() == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize("name", [TENSORS_FILE, RECORD_FILE])
def test_a_damaged_checkpoint_is_passed_over(store: CheckpointStore, name: str, damage: Callable[[Path], None]) -> None:
    store.save(checkpoint(1))
    store.save(checkpoint(2))
    damage(store.folder / "step-00000002" / name)
    if name == RECORD_FILE and damage is flip:
        (store.folder / "step-00000002" / name).write_text('{"schema": 1}')
    latest = store.latest()
    assert latest is not None
    assert latest.step == 1
    with pytest.raises(TrainingError, match="step-00000002"):
        store.load(2)


def test_what_a_killed_program_left_is_removed_by_the_next_save(store: CheckpointStore) -> None:
    store.save(checkpoint(1))
    leftover = store.folder / ".writing-abc"
    leftover.mkdir()
    (leftover / TENSORS_FILE).write_bytes(b"half")
    assert store.steps() == [1]
    store.save(checkpoint(2))
    assert not leftover.exists()


def test_saving_a_step_again_replaces_it(store: CheckpointStore) -> None:
    store.save(checkpoint(1))
    cut(store.folder / "step-00000001" / TENSORS_FILE)
    store.save(checkpoint(1))
    assert store.latest() is not None


SAVER = """
import sys, torch
from pathlib import Path
from shamisa_cli.core.training.checkpoints import Checkpoint, CheckpointStore
store = CheckpointStore(Path(sys.argv[1]))
for step in range(1, 100_000):
    store.save(Checkpoint(step, {"value": torch.full((200_000,), float(step))}, {}))
    print(step, flush=True)
"""


@pytest.mark.slow
def test_a_program_killed_while_saving_leaves_its_last_announced_checkpoint_or_a_newer_one(tmp_path: Path) -> None:
    generator = random.Random(5)
    for attempt in range(3):
        store = CheckpointStore(tmp_path / str(attempt))
        said = tmp_path / f"{attempt}.txt"
        saver = begin_code(SAVER, store.folder, said=said)
        saves = generator.randint(3, 12)
        while not said.exists() or said.read_text().count("\n") < saves:
            saver.join(0.001)
            assert saver.exitcode is None
        saver.join(generator.uniform(0, 0.01))  # so that the kill falls anywhere within a save
        saver.kill()
        saver.join()
        announced = max(map(int, said.read_text().splitlines()))
        latest = store.latest()
        assert latest is not None
        assert latest.step >= announced
        assert torch.equal(latest.tensors["value"], torch.full((200_000,), float(latest.step)))


def test_the_checkpoint_of_every_so_many_steps_stays_for_good(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep_every=4)
    for step in range(0, 14, 2):
        store.save(Checkpoint(step, {"a": torch.zeros(2)}, {}))

    assert store.steps() == [0, 4, 8, 10, 12]


def test_what_was_kept_for_good_stays_where_a_later_program_keeps_less(tmp_path: Path) -> None:
    for keep_every, steps in ((4, range(0, 14, 2)), (0, range(14, 20, 2))):
        store = CheckpointStore(tmp_path, keep_every=keep_every)
        for step in steps:
            store.save(Checkpoint(step, {"a": torch.zeros(2)}, {}))
    assert store.steps() == [0, 4, 8, 16, 18]


def test_damaged_checkpoints_do_not_push_out_those_that_are_written_after_them(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in range(6):
        store.save(Checkpoint(step, {"a": torch.zeros(2)}, {}))
    for step in (4, 5):
        (tmp_path / f"step-{step:08d}" / "state.safetensors").write_bytes(b"damaged")
    again = CheckpointStore(tmp_path)
    latest = again.latest()
    assert latest is not None
    assert latest.step == 0
    for step in range(1, 4):
        again.save(Checkpoint(step, {"a": torch.ones(2)}, {}))
        latest = CheckpointStore(tmp_path).latest()
        assert latest is not None
        assert latest.step == step
