"""Training dynamics: agreement with human scores of a linear probe on the features of each kept checkpoint.

All checkpoints are evaluated in the same way: on the images of one table at half the usual view size, which ranks
encoders at a fifth of the cost, with the maps that the finished model reads, at one scale, and with the same few
splits. Figures of one table and one set of settings are comparable with each other, not with those of the finished
model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import InputNotFoundError, ModelError, SettingError, TrainingError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.models.manifest import sha256_of
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.probe.mos_table import MIN_ROWS, MosTable, too_few_images
from shamisa_cli.core.probe.protocol import run_protocol
from shamisa_cli.core.probe.same_pictures import first_places, join_groups
from shamisa_cli.core.probe.step_agreement import MOST_ERRORS, StepAgreement, append_agreement, read_agreements
from shamisa_cli.core.scoring.pipeline import embed_files
from shamisa_cli.core.scoring.provenance import TRAINING_PACKAGES, software
from shamisa_cli.core.training.model_card import feature_spec
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.run_folder import RunFolder, RunRecord

SPLITS = 4
FIGURE_FILE = "benchmark.png"
KEY_DIGITS = 12
USUAL_VIEW = 512
"""View size in pixels for a network that has none of its own."""
_BACKBONE = "learner.backbone."
"""Prefix of the backbone's tensors in a checkpoint."""


@dataclass(frozen=True)
class CheckpointBenchmark:
    """Images and splits on which every checkpoint of a run is evaluated.

    Attributes:
        name: name of the table, for people.
        table: the images and their human scores.
        seed: seed of the splits.
    """

    name: str
    table: MosTable
    seed: int = 0

    @classmethod
    def of(cls, path: Path, table: MosTable, *, limit: int | None = None, seed: int = 0) -> CheckpointBenchmark:
        """The table read from `path`, or `limit` rows of it, drawn from `seed`.

        Raises SettingError when fewer than `MIN_ROWS` pictures are asked for.
        """
        if limit is not None and limit < MIN_ROWS:
            raise SettingError(f"{limit} pictures were asked for; at least {MIN_ROWS} are needed.")
        if limit is not None and limit < len(table):
            table = table.take(np.sort(np.random.default_rng(seed).permutation(len(table))[:limit]))
        return cls(path.name, table, seed)

    def key(self, encoder: EncoderConfig, run: RunRecord, device: str) -> str:
        """Key of all that determines the figures of a run's steps: those with equal keys are comparable.

        Args:
            encoder: as checkpoints are read.
            run: whose steps are judged; how many there are to be does not matter.
            device: on which the encoder computes.
        """
        contents = self._contents()
        rows = [
            (str(path.name), content, float(mos))
            for path, content, mos in zip(self.table.paths, contents, self.table.mos, strict=True)
        ]
        together = join_groups(_same(contents), self.table.groups)
        trained = [{**run.config.to_json(), "steps": None}, run.photographs.fingerprint]
        computed = [device.partition(":")[0], software(TRAINING_PACKAGES)]
        decides = [rows, together, self.table.subsets, SPLITS, self.seed, encoder.to_json(), trained, computed]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:KEY_DIGITS]

    @property
    def pictures(self) -> NDArray[np.int64]:
        """For each row, (n,), the first one whose file has the same content."""
        return _same(self._contents())

    def _contents(self) -> list[str | None]:
        return [_content(path) for path in self.table.paths]


def _same(contents: Sequence[str | None]) -> NDArray[np.int64]:
    return first_places([row if content is None else content for row, content in enumerate(contents)])


def _content(path: Path) -> str | None:
    """SHA-256 of a file in hex; None where there is none that can be read."""
    try:
        return sha256_of(path) if is_file(path) else None
    except OSError:
        return None


def probe_checkpoints(
    run: RunFolder,
    benchmark: CheckpointBenchmark,
    *,
    every: int = 1,
    device: str = "cpu",
    jobs: int | None = None,
    on_begin: Callable[[int, int], None] = lambda _steps, _pictures: None,
    on_picture: Callable[[int], None] = lambda _pictures: None,
    on_step: Callable[[StepAgreement, list[StepAgreement]], None] = lambda _new, _all: None,
    on_damaged: Callable[[str], None] = lambda _sentence: None,
) -> list[StepAgreement]:
    """Evaluate the encoder of every kept checkpoint of a run that has not been evaluated yet.

    Each result is appended to RUN/benchmark.jsonl at once, so that killing the program loses one step at most.
    Training may continue meanwhile; checkpoints that it removes before they are read are skipped.

    Args:
        run: a run of the task shamisa.
        benchmark: images and splits to evaluate on.
        every: only steps that are multiples of it, and the newest.
        device: device of the encoder.
        jobs: threads that decode.
        on_begin: called with the number of steps to evaluate, and the number of images for each.
        on_picture: called with 1 after each image.
        on_step: called with each new result, and with all results so far, in the order of the steps.
        on_damaged: called with a sentence for each checkpoint that cannot be read, which is left out.

    Returns:
        All results of this benchmark that the run has, in the order of the steps.

    Raises:
        TrainingError: there is no run, or it has no checkpoints left, or only damaged ones.
        SettingError: the run does not train an encoder, or `every` is below 1.
        InputNotFoundError: too few images can be read.
    """
    if every < 1:
        raise SettingError(f"The interval is {every} steps; it must be at least 1.")
    record = run.read()
    config = record.config
    if not isinstance(config, TrainingConfig):
        raise SettingError(
            f"The run in {run.path} is of the task {config.task}; only runs of shamisa train an encoder."
        )
    encoder = encoder_config(config)
    key = benchmark.key(encoder, record, device)
    known = sorted(read_agreements(run.agreements, key), key=_step_of)
    done = {agreement.step for agreement in known}
    steps = [step for step in _steps(run, config, every) if step not in done]
    if not known and not steps:
        raise TrainingError(f"The run in {run.path} has no checkpoint yet; there is one once training has begun.")
    on_begin(len(steps), len(benchmark.table))
    damaged: list[str] = []
    for step in steps:
        try:
            weights = _weights(run, config, step)
            network = None if weights is None else TorchEncoder.create(encoder, weights, device)
        except (TrainingError, ModelError) as error:
            damaged.append(str(error))
            on_damaged(str(error))
            continue
        if network is None:
            continue
        agreement = _agreement(network, benchmark, step, key, jobs=jobs, on_picture=on_picture)
        append_agreement(run.agreements, agreement)
        known = sorted([*known, agreement], key=_step_of)
        on_step(agreement, known)
    if not known and damaged:
        raise TrainingError(f"None of the checkpoints of {run.path} can be read. {damaged[0]}")
    if not known:
        raise TrainingError(f"Training has removed all checkpoints of {run.path} that were to be tested; try again.")
    return known


def encoder_config(config: TrainingConfig) -> EncoderConfig:
    """Configuration for checkpoints: the finished model's feature spec, at one scale and half the usual view size."""
    with torch.device("meta"):
        backbone = build_backbone(config.architecture)
    view_size = (backbone.preprocessing.view_size or USUAL_VIEW) // 2
    return EncoderConfig(
        config.architecture,
        replace(feature_spec(config, backbone), scales=(1.0,), crops=None),
        replace(backbone.preprocessing, view_size=view_size),
    )


def _step_of(agreement: StepAgreement) -> int:
    return agreement.step


def _steps(run: RunFolder, config: TrainingConfig, every: int) -> list[int]:
    """Steps with available weights; step 0 from the initial weights file if its checkpoint was removed."""
    kept = run.checkpoints.steps()
    steps = {step for step in kept if step % every == 0} | set(kept[-1:])
    if is_file(Path(config.init)):
        steps.add(0)
    return sorted(steps)


def _weights(run: RunFolder, config: TrainingConfig, step: int) -> dict[str, Tensor] | None:
    """Load the backbone's weights; None if training has removed the checkpoint in the meantime."""
    if step == 0 and 0 not in run.checkpoints.steps():
        return initial_state(config.architecture, config.init)
    try:
        tensors = run.checkpoints.load(step).tensors
    except TrainingError:
        if step in run.checkpoints.steps():
            raise
        return None
    return {name.removeprefix(_BACKBONE): value for name, value in tensors.items() if name.startswith(_BACKBONE)}


def _agreement(
    encoder: TorchEncoder,
    benchmark: CheckpointBenchmark,
    step: int,
    key: str,
    *,
    jobs: int | None,
    on_picture: Callable[[int], None],
) -> StepAgreement:
    table = benchmark.table
    rows, features, errors = [], [], []
    with closing(embed_files(encoder, table.paths, jobs=jobs)) as embeddings:
        for row, embedding in enumerate(embeddings):
            if embedding.features is not None:
                rows.append(row)
                features.append(embedding.features)
            else:
                errors.append(str(embedding.error))
            on_picture(1)
    if len(rows) < MIN_ROWS:
        raise InputNotFoundError(f"{too_few_images(len(rows), len(table))} {errors[0]}")
    table = table.take(rows)
    result = run_protocol(
        np.stack(features), table.mos, groups=table.groups, subsets=table.subsets, splits=SPLITS, seed=benchmark.seed
    )
    return StepAgreement(
        step,
        key,
        benchmark.name,
        len(rows),
        tuple(split.overall.srcc for split in result.splits),
        tuple(split.overall.plcc for split in result.splits),
        {
            name: tuple(split.subsets[name].srcc if name in split.subsets else float("nan") for split in result.splits)
            for name in result.subset_names
        },
        tuple(errors[:MOST_ERRORS]),
    )
