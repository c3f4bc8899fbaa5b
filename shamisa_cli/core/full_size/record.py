"""The result of a look at an image's own pixels (does not import NumPy)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MEASURES = ("focus", "noise", "compression")


@dataclass(frozen=True)
class AtFullSize:
    """Faults that are visible at 100 %, each from 0, faultless, to 4.

    Attributes:
        focus: softness of the sharpest part; a blurred background is no fault. None if no part has edges to judge by.
        noise: in flat parts.
        compression: a grid of 8×8 pixels, enlarged pixels, areas of one single colour, displaced parts, and traces of
            wavelets.
        tile: left, top, width and height of the sharpest part, in pixels of the upright original; None if
            it was not stored.
        pixels: that part, grey (height, width) uint8, while the image is in memory; None afterwards.
        motion: how much more detail one direction has lost than the one across it, in octaves of energy; None if it was
            not measured.
    """

    focus: float | None
    noise: float
    compression: float
    tile: tuple[int, int, int, int] | None
    pixels: Any = field(default=None, repr=False, compare=False)
    motion: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "focus": self.focus,
            "noise": self.noise,
            "compression": self.compression,
            "tile": None if self.tile is None else list(self.tile),
            "motion": self.motion,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AtFullSize:
        """Read what `to_json` wrote."""
        tile = None if data["tile"] is None else tuple(data["tile"])
        return cls(data["focus"], data["noise"], data["compression"], tile, motion=data["motion"])

    @property
    def worst(self) -> float:
        """The severity of the worst fault."""
        return max(severity for _, severity in self.phrases)

    @property
    def phrases(self) -> list[tuple[str, float]]:
        """Faults in a photographer's words, with their severities: "soft at 100 %"."""
        words = (
            ("soft at 100 %", self.focus),
            ("noisy at 100 %", self.noise),
            ("artefacts at 100 %", self.compression),
        )
        return [(word, value) for word, value in words if value is not None]
