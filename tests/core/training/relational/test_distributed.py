"""Several processes that train the relational networks: what they average, and that their weights stay one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.ranks import run_ranks
from safetensors.torch import load_file, save_file
from torch.nn import functional

from shamisa_cli.core.relational.records import TARGETS
from shamisa_cli.core.training.distributed import World, joined
from shamisa_cli.core.training.relational.batches import RelationalBatch
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig
from shamisa_cli.core.training.relational.step import RelationalStep
from shamisa_cli.core.training.relational.task import RelationalTask

SIZE = 2
SETS, VERSIONS, CROP = 2, 3, 64
TOLERANCE = 1e-5
"""Of the largest gradient in the same parameter tensor."""


def work_of(folder: Path, world: World) -> RelationalStep:
    """All of the networks are trained, and no weight is 0 as some are at the start, so that every gradient tells."""
    config = RelationalTrainingConfig(init=str(folder / "weights.safetensors"), trunk_lr=1e-3, warmup_steps=0)
    work = RelationalTask().work(config, world, begun=False)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in work.learner.model.distortion.head.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) / 50)
    return work


def batch_of(rank: int) -> RelationalBatch:
    """Batch of one process: soft pictures, noise upon them, and random targets."""
    generator = torch.Generator().manual_seed(rank)
    coarse = torch.rand(SETS, 3, 9, 9, generator=generator)
    pictures = functional.interpolate(coarse, size=CROP, mode="bilinear")[:, None].repeat(1, VERSIONS, 1, 1, 1)
    amount = torch.arange(VERSIONS).view(1, -1, 1, 1, 1) / 10
    pictures = (pictures + amount * torch.randn(pictures.shape, generator=generator)).clamp(0, 1)
    places = (CROP // 8, CROP // 8)
    return RelationalBatch(
        pictures=pictures,
        targets=4 * torch.rand(SETS, VERSIONS, len(TARGETS), *places, generator=generator),
        damage=4 * torch.rand(SETS, VERSIONS, 1, *places, generator=generator),
        worse=torch.ones(SETS, VERSIONS, VERSIONS, dtype=torch.bool).triu(1),
        quality=-40 * torch.rand(SETS, VERSIONS, generator=generator),
        step=0,
    )


def gradients_of(work: RelationalStep) -> dict[str, torch.Tensor]:
    plain = torch.contiguous_format
    return {
        f"gradient of {name}": value.grad.clone(memory_format=plain)
        for value, name in work.names.items()
        if value.grad is not None
    }


def one_step(folder: Path) -> None:
    """Take one step in each process and save the result."""
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as world:
        work = work_of(folder, world)
        result = {"numbers": work.gradients(batch_of(world.rank), 0), **gradients_of(work)}
        work.descend(0)
        result |= {name: value.contiguous() for name, value in work.learner.state_dict().items()}
        save_file(result, folder / f"result-{world.rank}")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads as each process has: the score is steep, and magnifies how sums of other threads are rounded."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_gradients_and_numbers_are_the_mean_over_the_batches_of_all_processes(
    tmp_path: Path, start_weights: Path
) -> None:
    (tmp_path / "weights.safetensors").write_bytes(start_weights.read_bytes())
    run_ranks(__file__, tmp_path, SIZE)

    alone = work_of(tmp_path, World())
    parts = []
    for rank in range(SIZE):
        # Step 0 fits the networks' scales to the leader's batch; the other batch meets them as they are then.
        numbers = alone.gradients(batch_of(rank), rank)
        parts.append({"numbers": numbers, **gradients_of(alone)})

    results = [load_file(tmp_path / f"result-{rank}") for rank in range(SIZE)]
    names = [name for name in parts[0] if name.startswith("gradient")]
    assert len(names) > 20
    for name in names:
        mean = sum(part[name] for part in parts) / SIZE
        for result in results:
            assert (result[name] - mean).abs().max() <= TOLERANCE * mean.abs().max(), name
    terms = alone.metric_names.index("grad_norm")
    mean_terms = sum(part["numbers"] for part in parts)[:terms] / SIZE
    for result in results:
        torch.testing.assert_close(result["numbers"][:terms], mean_terms)
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


if __name__ == "__main__":
    one_step(Path(sys.argv[1]))
