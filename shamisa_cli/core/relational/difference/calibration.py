"""From the distances of the measures to one scale of difference, and from there to a JPEG quality.

`calibration.json` holds the medians that benchmarks/difference_calibration.py found; what stands here are the anchors.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

LARGEST = 100.0
"""The end of the scale."""
UNRELATED = 98.0
"""Difference of two photographs that have nothing in common."""
ANCHORS: dict[int, float] = {
    100: 1.5,
    98: 2.5,
    95: 5.0,
    90: 10.0,
    75: 20.0,
    50: 30.0,
    20: 50.0,
    10: 66.0,
    5: 78.0,
    1: 92.0,
}
"""JPEG quality (4:2:0, the scale of the Independent JPEG Group) → median difference. Own choice: 95, 90, 75 and 20 are
given round numbers, and the rest lies on a smooth curve through them."""
WORST_DISTANCE = 1.0
"""Of every measure; it has the difference `LARGEST`."""
MEAN = "mean"
"""The mean of the calibrated measures, which is calibrated once more."""
FILE = "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """Medians over photographs, by which distances are read.

    Attributes:
        qualities: JPEG qualities, falling.
        distances: measure → its median distance at each quality, rising; and `MEAN` → the same of the mean of the
            calibrated measures.
        unrelated: measure → its median distance between unrelated photographs.
    """

    qualities: tuple[int, ...]
    distances: dict[str, tuple[float, ...]]
    unrelated: dict[str, float]

    @classmethod
    def load(cls) -> Calibration:
        """The one that comes with the package."""
        return cls.from_json(json.loads((files(__package__) / FILE).read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibration:
        distances = {name: tuple(values) for name, values in data["distances"].items()}
        return cls(tuple(data["qualities"]), distances, dict(data["unrelated"]))

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """Distances and the differences that they mean, both rising from 0; between them the curve is smooth."""
        given = [0.0, *self.distances[name]]
        wanted = [0.0, *(difference_at(quality) for quality in self.qualities)]
        if name == MEAN:
            return [*given, LARGEST], [*wanted, LARGEST]
        return [*given, self.unrelated[name], WORST_DISTANCE], [*wanted, UNRELATED, LARGEST]

    def read(self, name: str, distance: float) -> float:
        """The difference 0…100 that a measure's distance means; rises with it."""
        curve = _interpolation(*(tuple(values) for values in self.curve(name)))
        if distance >= curve.x[-1]:
            return LARGEST
        return min(LARGEST, max(0.0, float(curve(max(0.0, distance)))))

    def consensus(self, differences: Sequence[float]) -> float:
        """The difference 0…100 from those that the measures mean: their mean, with the anchors where they belong."""
        return self.read(MEAN, float(np.mean(differences)))


@functools.cache
def shipped() -> Calibration:
    """`Calibration.load`, once."""
    return Calibration.load()


@functools.cache
def _interpolation(given: tuple[float, ...], wanted: tuple[float, ...]) -> Any:
    """Monotone cubic interpolation (F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5, 1984)."""
    return PchipInterpolator(given, wanted)


def difference_at(quality: float) -> float:
    """The median difference between a photograph and its JPEG of a quality 1…100."""
    return float(_interpolation(tuple(sorted(ANCHORS)), tuple(ANCHORS[each] for each in sorted(ANCHORS)))(quality))


def like_jpeg_quality(difference: float) -> int:
    """The JPEG quality 1…100 that makes a difference 0…100 on a median photograph; 100 for less than it makes there."""
    qualities = range(1, 101)
    falling = np.array([difference_at(quality) for quality in qualities])
    return round(float(np.interp(-difference, -falling, qualities)))
