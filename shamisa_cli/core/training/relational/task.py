"""The relational networks as a task of the trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.existence import is_dir
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.networks.model_folders import load_networks
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.training.batch_loader import prefetch, worker_items
from shamisa_cli.core.training.curves import Panel
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.model_card import save_trained_networks
from shamisa_cli.core.training.relational.batch_stream import OrderedSetStream
from shamisa_cli.core.training.relational.batches import RelationalBatch
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig
from shamisa_cli.core.training.relational.consensus import consensus
from shamisa_cli.core.training.relational.step import RelationalLearner, RelationalStep
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord
from shamisa_cli.core.training.task import BatchSource

KNOWN = ("step", "total", "grad_norm", "trunk_lr", "head_lr", "crops", "crops_per_s", "wait_share")
"""Entries of every line; the others are terms of the loss."""


class RelationalTask:
    """Training of the distortion and scoring networks without human scores."""

    def panels(self, lines: Sequence[dict[str, Any]]) -> Sequence[Panel]:
        terms = tuple(name for name in lines[-1] if name not in KNOWN)
        return (
            ("Loss", ("total",), "linear"),
            ("Terms before their coefficients", terms, "linear"),
            ("Gradient norm", ("grad_norm",), "log"),
            ("Learning rate", ("trunk_lr", "head_lr"), "log"),
            ("Crops per second", ("crops_per_s",), "linear"),
            ("Share of the time spent waiting for batches", ("wait_share",), "linear"),
        )

    def batches(
        self,
        pristine: Sequence[Path],
        real: Sequence[Path],
        config: RelationalTrainingConfig,
        *,
        workers: int,
        world: World,
    ) -> BatchSource:
        consensus(*torch.zeros(2, 1, 3, 64, 64))  # so that a missing package is reported before a run begins
        stream = OrderedSetStream(pristine, real, config, rank=world.rank)

        def batches(start_step: int) -> Iterator[RelationalBatch]:
            pin = world.device.type == "cuda"
            return prefetch(worker_items(stream.from_step(start_step), workers=workers, pin=pin), world.device)

        return batches

    def work(self, config: RelationalTrainingConfig, world: World, *, begun: bool) -> RelationalStep:
        torch.manual_seed(config.seed)
        model = RelationalModel(config.network) if begun else start(config)
        return RelationalStep(RelationalLearner(model, config).to(world.device), config, world)

    def save(self, run: RunFolder, record: RunRecord, work: RelationalStep, *, seconds: float) -> None:
        save_trained_networks(run, record, work.learner.model, seconds=seconds)


def start(config: RelationalTrainingConfig) -> RelationalModel:
    """Build the initial model of a run.

    Raises:
        ModelError: the initial weights are not available, or are of networks other than `config.network`.
    """
    folder = Path(config.init)
    if config.init in ("imagenet", "none") or not is_dir(folder):
        weights = None if config.init == "none" else initial_state("mobilenet_v2", config.init)
        return RelationalModel(config.network, weights)
    earlier = load_networks(ModelFolder.open(folder, RelationalConfig))
    if earlier.config != config.network:
        raise ModelError(
            f"The model in {folder} has networks of a different shape than the settings under network. Use the same "
            "settings, or start from an encoder."
        )
    return earlier.requires_grad_(True)
