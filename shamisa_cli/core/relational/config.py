"""Configuration of the relational networks (does not import torch)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shamisa_cli.core.encoder.spec import Layer
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.overrides import with_overrides

DEEPEST = 13
"""The last stage with a stride of 16 pixels, of which sides are multiples."""


@dataclass(frozen=True)
class RelationalConfig:
    """The shape of the networks.

    Attributes:
        stages: the stages of MobileNetV2 that are read, in rising order; those after the last are left out.
        layer: where in a stage.
        width: channels of the head.
        blocks: how many blocks the head has.
        hidden: channels of the scoring network.

    Raises SettingError for stages that cannot be read and negative numbers of blocks.
    """

    stages: tuple[int, ...] = (0, 1, 3, 6, 10)
    layer: Layer = "output"
    width: int = 96
    blocks: int = 2
    hidden: int = 32

    def __post_init__(self) -> None:
        if not self.stages or list(self.stages) != sorted(set(self.stages)) or not 0 <= max(self.stages) <= DEEPEST:
            raise SettingError(f"stages is {self.stages}; it takes different ones of 0 to {DEEPEST}, in rising order.")
        if self.blocks < 0:
            raise SettingError(f"blocks is {self.blocks}; it cannot be below 0.")

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; `from_json` restores it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RelationalConfig:
        """Read what `to_json` wrote. Raises SettingError on unknown entries or wrong types."""
        return with_overrides(cls(), data)
