"""All settings that determine the numbers of a training run, as one record, and named presets."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from shamisa_cli.core.arguments import require_seed
from shamisa_cli.core.encoder.spec import FeatureSpec, is_architecture, unknown_architecture
from shamisa_cli.core.errors import PARSE_ERRORS, SettingError
from shamisa_cli.core.graphs.relation_graph import RelationSettings
from shamisa_cli.core.overrides import with_overrides
from shamisa_cli.core.training.ablations import former_ablation
from shamisa_cli.core.training.pretraining.batches import BatchSettings
from shamisa_cli.core.training.pretraining.objective import ObjectiveCoefficients

Optimiser = Literal["sgd", "adamw"]
Schedule = Literal["constant", "cosine", "cosine-restarts"]
Precision = Literal["none", "bf16", "fp16"]

PAPER_EPOCH_STEPS = 70_000
"""One epoch over 140 k photographs at B = 2 (paper, implementation details)."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingError(message)


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a run, which together with the photographs determine it. The defaults are the paper's.

    Attributes:
        architecture: the backbone: one of `ARCHITECTURES`, or "timm:NAME".
        init: "imagenet", "none", or the path of a safetensors file with its library's key names.
        steps: number of batches to train on.
        seed: of the weights' initialisation and of all random choices of the distortion engine.
        batch: shape of batches, and how crops are made.
        optimiser: "sgd" (with `momentum`) or "adamw".
        encoder_lr, head_lr: learning rates of the backbone's last stage, and of projector and relations.
        minimum_lr: final rate of cosine schedules.
        momentum: of SGD.
        weight_decay: L2 (SGD) or decoupled (AdamW) decay of every parameter.
        warmup_steps: number of steps over which the rate rises linearly from 0; a shorter run ends during it.
        heads_first: number of initial steps in which only the heads are trained, so that untrained heads do not
            damage a pretrained encoder; 0 is off.
        schedule: "constant", "cosine" (to `minimum_lr` at the last step) or "cosine-restarts" (Loshchilov
            and Hutter 2017: periods of `restart_steps` steps, each `restart_factor` times the one before).
        projector_hidden, projector_out: widths of the projector; the latter is D, the length of z.
        calibrate_projector: scale the projector on the first batch, so that z starts with unit variance.
        stage_lr_decay: 0…1, each stage's rate as a share of the rate of the stage after it; 1 is off.
        frozen_stages: number of stages, from the first, that are not trained.
        freeze_batchnorm: keep the initial batch-norm statistics.
        retention: coefficient of Σ over stages of mean(1 − cos(feature, the start's feature)) on reference
            crops and `batch.retained` crops of real photographs, against forgetting; 0 is off.
        retention_stages: the stages that are compared; None takes `representation_stages`.
        representation_stages: the stages whose pooled means, each of unit norm, are concatenated and
            normalised again to make h; negative ones count from the last (paper: the last).
        relations: settings of the relation graph.
        objective: the coefficients of the loss.
        features: feature spec of the finished model; None: every stage, mean and standard deviation, two scales.
        amp: lower precision for backbone and projector: "bf16" on CUDA and the CPU, "fp16" on CUDA only.
        gradient_clip: largest L2 norm of the gradient; 0 is off.
        channels_last: memory layout of the backbone; affects speed only.
        compile: fuse the backbone's operations by torch.compile, for speed; the first step takes minutes.

    Raises SettingError for values that cannot be used.
    """

    architecture: str = "resnet50"
    init: str = "imagenet"
    steps: int = PAPER_EPOCH_STEPS
    seed: int = 0
    batch: BatchSettings = field(default_factory=BatchSettings)
    optimiser: Optimiser = "sgd"
    encoder_lr: float = 1.5e-3
    head_lr: float = 1.5e-3
    minimum_lr: float = 1e-6
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_steps: int = 0
    heads_first: int = 0
    schedule: Schedule = "cosine-restarts"
    restart_steps: int = PAPER_EPOCH_STEPS
    restart_factor: int = 2
    projector_hidden: int = 3072
    projector_out: int = 768
    calibrate_projector: bool = False
    stage_lr_decay: float = 1.0
    frozen_stages: int = 0
    freeze_batchnorm: bool = False
    retention: float = 0.0
    retention_stages: tuple[int, ...] | None = None
    representation_stages: tuple[int, ...] = (-1,)
    relations: RelationSettings = field(default_factory=RelationSettings)
    objective: ObjectiveCoefficients = field(default_factory=ObjectiveCoefficients)
    features: FeatureSpec | None = field(default_factory=FeatureSpec)
    amp: Precision = "none"
    gradient_clip: float = 0.0
    channels_last: bool = True
    compile: bool = False

    def __post_init__(self) -> None:
        for name, choices in (
            ("optimiser", Optimiser),
            ("schedule", Schedule),
            ("amp", Precision),
        ):
            if getattr(self, name) not in get_args(choices):
                raise SettingError(f"{name} is {getattr(self, name)!r}; it can be {', '.join(get_args(choices))}.")
        _require(is_architecture(self.architecture), unknown_architecture(self.architecture))
        require_seed(self.seed)
        for name in ("steps", "projector_hidden", "projector_out", "restart_steps", "restart_factor"):
            _require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name in ("encoder_lr", "head_lr"):
            _require(getattr(self, name) > 0, f"{name} is {getattr(self, name)}; it must be above 0.")
        for name in (
            "minimum_lr",
            "weight_decay",
            "warmup_steps",
            "heads_first",
            "retention",
            "gradient_clip",
            "frozen_stages",
        ):
            _require(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}; it cannot be below 0.")
        _require(0 <= self.momentum < 1, f"momentum is {self.momentum}; it must be from 0 to below 1.")
        _require(0 < self.stage_lr_decay <= 1, f"stage_lr_decay is {self.stage_lr_decay}; it must be in 0…1, not 0.")
        _require(
            not (self.init == "none" and self.freeze_batchnorm),
            "freeze_batchnorm is on and init is 'none': there are no statistics to keep. Switch it off, or start "
            "from trained weights.",
        )
        _require(bool(self.representation_stages), "representation_stages is empty; name at least one stage.")

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)

    @property
    def task(self) -> Literal["shamisa"]:
        """Name of the task, as written in run.json."""
        return "shamisa"

    @property
    def crops(self) -> int:
        """Number of crops that a process adds to a batch."""
        return self.batch.crops

    @property
    def stages_to_retain(self) -> tuple[int, ...]:
        """The stages that retention compares."""
        return self.representation_stages if self.retention_stages is None else self.retention_stages

    @property
    def steps_may_grow(self) -> bool:
        """Whether the learning rates of earlier steps do not depend on the number of steps."""
        return self.schedule != "cosine"


PRESETS: dict[str, TrainingConfig] = {
    "paper": TrainingConfig(),
    "quick": TrainingConfig(
        architecture="mobilenet_v2",
        steps=280,
        batch=BatchSettings(samples=1, retained=24),
        optimiser="adamw",
        encoder_lr=5e-5,
        head_lr=1e-3,
        warmup_steps=10,
        heads_first=25,
        schedule="cosine",
        projector_hidden=1024,
        projector_out=256,
        calibrate_projector=True,
        frozen_stages=7,
        freeze_batchnorm=True,
        retention=500.0,
        retention_stages=(8, 10, 12, 13, 14, 15, 16, 17, 18),
        relations=RelationSettings(centred=True),
        features=None,
    ),
}
"""The paper's run, and one that a laptop completes within an hour (explained in docs/training.md)."""


def with_settings(config: TrainingConfig, changes: Mapping[str, Any]) -> TrainingConfig:
    """Change some settings of `config`, given as in a TOML or JSON table.

    `init` "none" switches off the settings that preserve initial weights (`freeze_batchnorm`, `retention`,
    `frozen_stages`), and a new architecture resets the settings that number stages (`frozen_stages`,
    `retention_stages`, `representation_stages`), unless `changes` sets them.

    Raises SettingError on unknown names, wrong types or values that cannot be used.
    """
    if isinstance(changes.get("relations"), str):
        raise SettingError(former_ablation(changes["relations"]))
    if changes.get("architecture", config.architecture) != config.architecture:
        config = replace(config, frozen_stages=0, retention_stages=None, representation_stages=(-1,))
    if changes.get("init") == "none":
        config = replace(config, freeze_batchnorm=False, retention=0.0, frozen_stages=0)
    return with_overrides(config, changes)


def read_config_file(path: Path) -> dict[str, Any]:
    """Read the settings in a TOML or JSON file, by its suffix; their names and types are not checked yet.

    Raises SettingError if it cannot be read.
    """
    parse = {".toml": tomllib.loads, ".json": json.loads}.get(path.suffix.lower())
    if parse is None:
        raise SettingError(f"{path} is neither a .toml nor a .json file; settings come as one of the two.")
    try:
        settings: Any = parse(path.read_text(encoding="utf-8-sig"))
    except (OSError, *PARSE_ERRORS) as error:
        raise SettingError(f"The settings in {path} cannot be read: {error}.") from error
    if not isinstance(settings, dict):
        raise SettingError(f'{path} holds no table of settings; write one like {{"steps": 1000}}.')
    return settings
