"""A run small enough for a test: 32 px crops of soft random pictures, and a network with measured statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from shamisa_cli.core.graphs.crops import crop_table
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.training.pretraining.batch_recipe import TrainingBatch
from shamisa_cli.core.training.pretraining.batches import BatchSettings
from shamisa_cli.core.training.pretraining.config import TrainingConfig


def soft_batches(start_step: int) -> Iterator[TrainingBatch]:
    """Without end: two pictures a step, and two compositions at three levels of each, as noise."""
    step = start_step
    while True:
        generator = torch.Generator().manual_seed(step)
        severities = torch.rand(1, 2, 3, generator=generator) * 4
        nodes = crop_table(severities, photos=2, scales=1)
        pictures = functional.interpolate(torch.rand(2, 3, 4, 4, generator=generator), size=32, mode="bilinear")
        noise = torch.randn(len(nodes), 3, 32, 32, generator=generator) * nodes.severity.view(-1, 1, 1, 1) / 10
        yield TrainingBatch((pictures[nodes.photo] + noise).clamp(0, 1), nodes, step, torch.empty(0, 3, 32, 32))
        step += 1


@pytest.fixture(scope="session")
def batches() -> Callable[[int], Iterator[TrainingBatch]]:
    """Batches as a trainer takes them."""
    return soft_batches


@pytest.fixture(scope="session")
def start_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MobileNetV2 whose batch-norm statistics fit the soft pictures, as a file to start from."""
    torch.manual_seed(1)
    backbone = build_backbone("mobilenet_v2")
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for _, batch in zip(range(4), soft_batches(1000), strict=False):
            backbone(batch.crops)
    path = tmp_path_factory.mktemp("start") / "weights.safetensors"
    save_file(backbone.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def small_config(start_weights: Path) -> TrainingConfig:
    return TrainingConfig(
        architecture="mobilenet_v2",
        init=str(start_weights),
        steps=4,
        batch=BatchSettings(samples=1, photos=2, scales=1, compositions=2, levels=3, crop=32),
        optimiser="adamw",
        encoder_lr=1e-4,
        head_lr=1e-3,
        schedule="constant",
        projector_hidden=32,
        projector_out=16,
        calibrate_projector=True,
        freeze_batchnorm=True,
    )
