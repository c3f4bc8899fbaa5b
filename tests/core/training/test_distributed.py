"""Several processes give the gradients of one that has all their crops. The processes are real and talk over gloo."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.ranks import run_ranks
from safetensors.torch import load_file, save_file
from torch.nn import functional

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.graphs.crops import CropTable, crop_table
from shamisa_cli.core.overrides import with_overrides
from shamisa_cli.core.training.distributed import World, joined, launcher, processes_here
from shamisa_cli.core.training.pretraining.batch_recipe import TrainingBatch
from shamisa_cli.core.training.pretraining.batches import BatchSettings
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.learner import Learner
from shamisa_cli.core.training.pretraining.retention import InitialEncoder
from shamisa_cli.core.training.pretraining.step import NUMBERS, PretrainingStep

SHAPE = BatchSettings(samples=2, photos=2, scales=1, compositions=2, levels=2, crop=32, retained=2)
"""Of one process: 4 references, 16 distorted crops and 2 more for retention."""

TOLERANCE = 1e-5
"""Of the largest gradient in the same parameter tensor."""

VANISHING = 1e-4
"""A tensor with no larger gradient has none but for rounding: a bias before a batch norm, or before the objective."""


def one_step(folder: Path, config: TrainingConfig) -> None:
    """Take one step in each process, from the weights and its batch in the folder, and save the result.

    The backbone is in double precision: batch norm over a few crops magnifies the rounding of single precision.
    """
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as world:
        learner = Learner(config, load_file(folder / "weights.safetensors"), world)
        learner.backbone.double()
        work = PretrainingStep(learner, config, world)
        work.start = InitialEncoder(learner.backbone, config.stages_to_retain)
        with torch.no_grad():  # away from the start, or retention has no slope
            for parameter in learner.backbone.parameters():
                parameter.mul_(1.01)
        result = {"numbers": work.gradients(read_batch(folder / f"batch-{world.size}-{world.rank}"), 0)}
        gradients = {name: value.grad for name, value in learner.named_parameters() if value.grad is not None}
        plain = torch.contiguous_format
        result |= {f"gradient of {name}": value.clone(memory_format=plain) for name, value in gradients.items()}
        work.descend(0)
        result |= {f"{name} afterwards": value.contiguous() for name, value in learner.state_dict().items()}
        save_file(result, folder / f"result-{world.size}-{world.rank}")


def batch_of(rank: int) -> TrainingBatch:
    """Batch of one process: soft pictures and noise upon them, in double precision."""
    generator = torch.Generator().manual_seed(rank)
    severities = torch.rand(SHAPE.samples, SHAPE.compositions, SHAPE.levels, generator=generator) * 4
    nodes = crop_table(severities, SHAPE.photos, SHAPE.scales)
    size = SHAPE.crop
    count = SHAPE.samples * SHAPE.photos + SHAPE.retained
    coarse = torch.rand(count, 3, 6, 6, generator=generator, dtype=torch.float64)
    pictures = functional.interpolate(coarse, size=size, mode="bilinear")
    noise = torch.randn(len(nodes), 3, size, size, generator=generator, dtype=torch.float64)
    crops = pictures[nodes.sample * SHAPE.photos + nodes.photo] + noise * nodes.severity.view(-1, 1, 1, 1) / 10
    return TrainingBatch(crops.clamp(0, 1), nodes, 0, pictures[-SHAPE.retained :])


def joined_batch(batches: list[TrainingBatch]) -> TrainingBatch:
    """The same crops as one batch in the standard order: all references, then all distorted crops."""
    references = SHAPE.references

    def column(name: str) -> torch.Tensor:
        parts = [getattr(batch.nodes, name) for batch in batches]
        if name == "sample":
            parts = [part + SHAPE.samples * rank for rank, part in enumerate(parts)]
        return in_order(parts)

    def in_order(parts: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat([*(part[:references] for part in parts), *(part[references:] for part in parts)])

    nodes = CropTable(**{name: column(name) for name in CropTable.__dataclass_fields__})
    retained = torch.cat([batch.retained for batch in batches])
    return TrainingBatch(in_order([batch.crops for batch in batches]), nodes, 0, retained)


def write_batch(batch: TrainingBatch, path: Path) -> None:
    columns = {name: getattr(batch.nodes, name) for name in CropTable.__dataclass_fields__}
    save_file({"crops": batch.crops, "retained": batch.retained.contiguous(), **columns}, path)


def read_batch(path: Path) -> TrainingBatch:
    table = load_file(path)
    nodes = CropTable(**{name: table[name] for name in CropTable.__dataclass_fields__})
    return TrainingBatch(table["crops"], nodes, 0, table["retained"])


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_gradients_loss_and_next_weights_are_those_of_one_process_with_all_crops(
    tmp_path: Path, small_config: TrainingConfig, size: int
) -> None:
    config = replace(
        small_config,
        batch=SHAPE,
        freeze_batchnorm=False,
        retention=30.0,
        retention_stages=(10, 18),
        optimiser="sgd",
        gradient_clip=1.0,
    )
    (tmp_path / "weights.safetensors").write_bytes(Path(config.init).read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
    batches = [batch_of(rank) for rank in range(size)]
    for rank, batch in enumerate(batches):
        write_batch(batch, tmp_path / f"batch-{size}-{rank}")
    write_batch(joined_batch(batches), tmp_path / "batch-1-0")

    run_ranks(__file__, tmp_path, size)
    one_step(tmp_path, replace(config, batch=replace(SHAPE, samples=size * SHAPE.samples)))

    alone = load_file(tmp_path / "result-1-0")
    gradients = {name for name in alone if name.startswith("gradient")}
    telling = {name for name in gradients if alone[name].abs().max() > VANISHING}
    assert len(telling) > 100
    assert alone["numbers"][NUMBERS.index("retention")] > 0
    for rank in range(size):
        own = load_file(tmp_path / f"result-{size}-{rank}")
        assert own.keys() == alone.keys()
        torch.testing.assert_close(own["numbers"], alone["numbers"], rtol=TOLERANCE, atol=0)
        for name in gradients:
            unit = float(alone[name].abs().max()) if name in telling else 1.0
            assert (own[name] - alone[name]).abs().max() <= TOLERANCE * unit, name
        for name in alone.keys() - gradients - {"numbers"}:
            torch.testing.assert_close(own[name], alone[name], rtol=1e-6, atol=1e-9, msg=name)


def test_without_torchrun_a_process_is_its_own_world() -> None:
    with joined(torch.device("cpu"), {}) as world:
        assert world == World(0, 1, torch.device("cpu"))
        assert world.leads
        rows = torch.rand(3, 2)
        assert world.gathered(rows) is rows
        assert world.any(True)
        assert not world.any(False)
    assert processes_here({}) == 1
    assert launcher({}) == "shamisa"


def test_the_way_a_run_was_started_is_remembered() -> None:
    environment = {"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "4"}
    assert processes_here(environment) == 4
    assert launcher(environment) == "torchrun --nproc-per-node 4 -m shamisa_cli"
    environment["WORLD_SIZE"] = "8"
    assert launcher(environment) == "torchrun --nnodes 2 --nproc-per-node 4 -m shamisa_cli"


@pytest.mark.parametrize(
    ("environment", "device", "words"),
    [
        ({"WORLD_SIZE": "2"}, "cpu", "RANK is ''.*torchrun"),
        ({"WORLD_SIZE": "many"}, "cpu", "WORLD_SIZE is 'many'"),
        ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}, "mps", "cannot train on mps"),
        ({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "99"}, "cuda", "process 100 of its own has none left"),
    ],
)
def test_an_environment_that_cannot_be_is_explained(environment: dict[str, str], device: str, words: str) -> None:
    with pytest.raises(SettingError, match=words), joined(torch.device(device), environment):
        pass


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    one_step(folder, with_overrides(TrainingConfig(), json.loads((folder / "config.json").read_text())))
