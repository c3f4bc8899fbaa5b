"""One step: what it asks of a device, and that lower precision comes to nearly the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from shamisa_cli.core.graphs.relation_graph import RelationGraph
from shamisa_cli.core.training.batch_loader import prefetch
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.learner import Learner
from shamisa_cli.core.training.pretraining.retention import InitialEncoder
from shamisa_cli.core.training.pretraining.step import NUMBERS, PretrainingStep
from shamisa_cli.core.training.trainer import BatchSource


class NobodyWaits(TorchDispatchMode):
    """Refuses operations whose result, or its shape, a program must wait for when a GPU computes."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_") and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if masks or name in ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal"):
            raise AssertionError(f"{name} makes the program wait for the device")
        return func(*args, **(kwargs or {}))


def step_of(config: TrainingConfig) -> PretrainingStep:
    work = PretrainingStep(Learner(config, None), config, World())
    work.start = InitialEncoder(work.learner.backbone, config.stages_to_retain) if config.retention else None
    return work


@pytest.fixture
def untrained(small_config: TrainingConfig) -> TrainingConfig:
    return replace(small_config, init="none", freeze_batchnorm=False)


def test_a_step_lays_out_its_work_without_waiting_for_a_number(
    untrained: TrainingConfig, batches: BatchSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = step_of(replace(untrained, retention=3.0, retention_stages=(9, 18)))
    batch = next(iter(batches(0)))
    relations = work.learner.heads["relations"]
    assert isinstance(relations, RelationGraph)
    metadata = relations._metadata(batch.nodes, torch.device("cpu"))  # on the CPU in any case
    monkeypatch.setattr(relations, "_metadata", lambda *_: metadata)

    with NobodyWaits():
        numbers = work.gradients(batch, 0)

    assert numbers.shape == (len(NUMBERS),)
    assert numbers.isfinite().all()


def test_the_refusal_itself_works() -> None:
    values = torch.tensor([1.0, 2.0])
    for wait in (lambda: values[values > 1], lambda: values.max().item(), lambda: values.nonzero()):
        with pytest.raises(AssertionError, match="wait"), NobodyWaits():
            wait()


def test_bfloat16_comes_to_nearly_the_same_loss(untrained: TrainingConfig, batches: BatchSource) -> None:
    batch = next(iter(batches(0)))
    exact = step_of(untrained).gradients(batch, 0)
    mixed_step = step_of(replace(untrained, amp="bf16"))
    mixed = mixed_step.gradients(batch, 0)
    total = NUMBERS.index("total")
    assert mixed[total] != exact[total]
    assert mixed[total].item() == pytest.approx(exact[total].item(), rel=0.2)
    assert all(value.grad.dtype == torch.float32 for value in mixed_step.learner.parameters() if value.grad is not None)


def test_stages_beyond_the_last_one_that_is_read_are_left_alone(
    untrained: TrainingConfig, batches: BatchSource
) -> None:
    work = step_of(replace(untrained, representation_stages=(3,)))
    work.gradients(next(iter(batches(0))), 0)
    for index, stage in enumerate(work.learner.backbone.stage_modules()):
        assert all((value.grad is not None) == (index <= 3) for value in stage.parameters())


def test_batches_come_in_order_and_as_they_are_asked_for_on_a_cpu(batches: BatchSource) -> None:
    stream = prefetch(batches(3), torch.device("cpu"))
    assert [next(stream).step for _ in range(3)] == [3, 4, 5]
