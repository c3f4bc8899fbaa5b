"""Learning rates, parameter groups, and optimiser state that survives being written down."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts

from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.training.optimiser import optimiser_tensors, restore_optimiser
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.learner import Learner
from shamisa_cli.core.training.pretraining.optimiser import build_optimiser, learning_rate, set_learning_rates


def torch_rates(scheduler_class: type, steps: int, **options: float) -> list[float]:
    """Rates of torch's own scheduler from a base of 0.1."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = scheduler_class(optimiser, eta_min=1e-3, **options)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def test_warm_restarts_are_those_of_torch() -> None:
    config = TrainingConfig(schedule="cosine-restarts", restart_steps=4, minimum_lr=1e-3)
    ours = [learning_rate(0.1, config, step) for step in range(30)]
    assert ours == pytest.approx(torch_rates(CosineAnnealingWarmRestarts, 30, T_0=4, T_mult=2))


def test_the_cosine_is_that_of_torch_and_ends_at_the_minimum() -> None:
    config = TrainingConfig(schedule="cosine", steps=21, minimum_lr=1e-3)
    ours = [learning_rate(0.1, config, step) for step in range(21)]
    assert ours == pytest.approx(torch_rates(CosineAnnealingLR, 21, T_max=20))
    assert ours[-1] == pytest.approx(1e-3)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "cosine-restarts"])
def test_a_warm_up_rises_in_equal_parts_and_reaches_the_base(schedule: str) -> None:
    config = TrainingConfig(schedule=schedule, warmup_steps=4, steps=10)  # type: ignore[arg-type]
    assert [learning_rate(0.4, config, step) for step in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert learning_rate(0.4, config, 4) == pytest.approx(0.4)


def test_a_constant_rate_stays() -> None:
    config = TrainingConfig(schedule="constant")
    assert {learning_rate(0.4, config, step) for step in (0, 5, 60_000)} == {0.4}


def learner_of(config: TrainingConfig) -> Learner:
    return Learner(replace(config, init="none", freeze_batchnorm=False), None)


def test_earlier_stages_learn_slower_and_frozen_ones_not_at_all(small_config: TrainingConfig) -> None:
    config = replace(small_config, stage_lr_decay=0.5, frozen_stages=2)
    learner = learner_of(config)
    groups = build_optimiser(learner.backbone, learner.heads, config).param_groups
    rates = [config.encoder_lr * 0.5 ** (18 - stage) for stage in range(2, 19)]
    assert [group["base_lr"] for group in groups] == pytest.approx([*rates, config.head_lr])
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    frozen = {id(parameter) for stage in learner.backbone.stage_modules()[:2] for parameter in stage.parameters()}
    assert not trained & frozen
    wanting = {id(parameter) for parameter in learner.parameters() if parameter.requires_grad}
    assert trained == wanting


def test_only_the_heads_learn_at_first(small_config: TrainingConfig) -> None:
    config = replace(small_config, heads_first=3)
    learner = learner_of(config)
    optimiser = build_optimiser(learner.backbone, learner.heads, config)
    for step in range(5):
        set_learning_rates(optimiser, config, step)
        *encoder, heads = optimiser.param_groups
        assert heads["lr"] > 0
        assert all((group["lr"] > 0) == (step >= 3) for group in encoder)


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_state_written_down_and_put_back_makes_the_same_next_step(small_config: TrainingConfig, kind: str) -> None:
    config = replace(small_config, optimiser=kind, channels_last=True)  # type: ignore[arg-type]
    first, second = learner_of(config), learner_of(config)
    optimisers = [build_optimiser(learner.backbone, learner.heads, config) for learner in (first, second)]
    names = [{value: name for name, value in learner.named_parameters()} for learner in (first, second)]

    def step(learner: Learner, optimiser: torch.optim.Optimizer, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for parameter in learner.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.step()

    step(first, optimisers[0], 1)
    second.load_state_dict(first.state_dict())
    written = {name: value.clone().contiguous() for name, value in optimiser_tensors(optimisers[0], names[0]).items()}
    restore_optimiser(optimisers[1], names[1], written)
    for learner, optimiser in zip((first, second), optimisers, strict=True):
        step(learner, optimiser, 2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_state_of_an_unknown_parameter_is_refused(small_config: TrainingConfig) -> None:
    learner = learner_of(small_config)
    optimiser = build_optimiser(learner.backbone, learner.heads, small_config)
    with pytest.raises(TrainingError, match="ghost"):
        restore_optimiser(optimiser, {}, {"ghost.exp_avg": torch.zeros(1)})
