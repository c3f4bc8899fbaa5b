"""All settings that determine the numbers of a relational run, as one record, and its presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from shamisa_cli.core.arguments import require_seed
from shamisa_cli.core.distortions.registry import BY_GROUP, get_operator
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.overrides import with_overrides
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.training.relational.batches import SetSettings
from shamisa_cli.core.training.relational.objective import RelationalCoefficients


@dataclass(frozen=True)
class RelationalTrainingConfig:
    """Settings of a run, which together with the photographs determine it.

    Attributes:
        network: the shape of the networks.
        init: initial weights of the trunk: "imagenet", "none", or the path of a safetensors file with torchvision's
            key names; the path of a relational model's folder initialises all weights from that model.
        steps: number of batches to train on.
        seed: of the weights' initialisation and of all random choices.
        batch: shape of batches, and how ordered sets are made.
        objective: factors of the loss's terms.
        trunk_lr: learning rate of the trunk; 0 keeps its initial weights.
        head_lr: learning rate of everything else.
        minimum_lr: final value of both rates' cosine schedules.
        warmup_steps: number of steps over which the rates rise linearly from 0; a shorter run ends during it.
        weight_decay: decoupled decay of AdamW.
        gradient_clip: largest L2 norm of the gradient; 0 is off.

    Raises SettingError for values that cannot be used.
    """

    network: RelationalConfig = field(default_factory=RelationalConfig)
    init: str = "imagenet"
    steps: int = 2600
    seed: int = 0
    batch: SetSettings = field(default_factory=SetSettings)
    objective: RelationalCoefficients = field(default_factory=RelationalCoefficients)
    trunk_lr: float = 0.0
    head_lr: float = 2.5e-3
    minimum_lr: float = 2e-5
    warmup_steps: int = 30
    weight_decay: float = 1e-2
    gradient_clip: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise SettingError(f"steps is {self.steps}; it must be at least 1.")
        if not self.head_lr > 0:
            raise SettingError(f"head_lr is {self.head_lr}; it must be above 0.")
        require_seed(self.seed)
        for name in ("trunk_lr", "minimum_lr", "warmup_steps", "weight_decay", "gradient_clip"):
            if getattr(self, name) < 0:
                raise SettingError(f"{name} is {getattr(self, name)}; it cannot be below 0.")
        _check_left_out(self.batch.left_out)
        if self.init == "none" and not self.trunk_lr:
            raise SettingError(
                "init is 'none' and trunk_lr is 0: the trunk would stay random. Set trunk_lr above 0, or start from "
                "trained weights."
            )

    @property
    def task(self) -> Literal["relational"]:
        """Name of the task, as written in run.json."""
        return "relational"

    @property
    def crops(self) -> int:
        """Number of images that a process adds to a batch."""
        return self.batch.sets * self.batch.versions

    @property
    def steps_may_grow(self) -> bool:
        """Whether the learning rates of earlier steps do not depend on the number of steps: never, by a cosine."""
        return False

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)


def _check_left_out(names: Sequence[str]) -> None:
    """Check that these are operators, and that every group keeps at least one."""
    for name in names:
        get_operator(name)
    for group, operators in BY_GROUP.items():
        if all(operator.name in names for operator in operators):
            raise SettingError(f"batch.left_out names every operator of {group}; leave at least one of each group.")


PRESETS: dict[str, RelationalTrainingConfig] = {
    "paper": RelationalTrainingConfig(steps=20_000, batch=SetSettings(sets=32, versions=5, crop=256), warmup_steps=500),
    "quick": RelationalTrainingConfig(),
}
"""A run for a GPU, and one that a laptop completes within an hour."""


def with_settings(config: RelationalTrainingConfig, changes: Mapping[str, Any]) -> RelationalTrainingConfig:
    """Change some settings of `config`, given as in a TOML or JSON table.

    With `init` "none" the trunk has the head's learning rate, unless `changes` sets it.

    Raises SettingError on unknown names, wrong types or values that cannot be used.
    """
    if changes.get("init") == "none" and not config.trunk_lr:
        changes = {"trunk_lr": changes.get("head_lr", config.head_lr), **changes}
    return with_overrides(config, changes)
