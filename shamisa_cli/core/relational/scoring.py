"""The arithmetic of the scoring network in NumPy: from maps of a pair and histograms to one signed number.

As `ScoringNetwork` and `NetworkOutput` compute it with PyTorch, where they are trained; odd in the order of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.records import (
    CERTAINTY,
    COMB_FLOOR,
    EMPTY,
    LEVELS,
    POINTS,
    SCORE_CERTAINTY,
    SEEN_LEVEL,
    SQUARED_FLOOR,
    SURROUNDINGS,
)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PairMaps:
    """Output of the distortion network for one pair, at an eighth of the resolution.

    Attributes:
        signed: (9, h, w), local evidence for each of `MAPS`; changes its sign when the pair is swapped.
        amount: (1, h, w) ≥ 0, size of the change; the same in both orders.
        weights: (1, h, w) > 0, weight of each position in the score; the same in both orders.
    """

    signed: Array
    amount: Array
    weights: Array

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """The three arrays, in order."""
        return self.signed, self.amount, self.weights

    def part(self, rows: slice, columns: slice) -> PairMaps:
        """The maps at some positions: views, not copies."""
        return PairMaps(*(array[..., rows, columns] for array in self.arrays))

    def maps(self) -> Array:
        """(9, h, w), signed, in the order of `MAPS`: amount of change times direction at each position."""
        near, around = (_smoothed(self.signed, side) for side in SURROUNDINGS)
        directions = towards_one(np.float32(CERTAINTY / 2) * (near + around))
        maps: Array = np.concatenate([np.abs(self.signed[:-1]), self.amount]) * directions
        return maps


def score(pair: PairMaps, maps: Array, combs: Array, weights: tuple[Array, Array, Array]) -> float:
    """The signed score −100…100 of a pair.

    Args:
        pair: maps of the whole pair.
        maps: its `PairMaps.maps`.
        combs: (8,) from `histogram_comb_difference`.
        weights: of the hidden, the output and the direct layer.
    """
    hidden, out, direct = weights
    shares = pair.weights / pair.weights.sum(dtype=np.float64)
    square = (maps * np.abs(maps) * shares).sum(axis=(1, 2))
    root = square / np.sqrt(np.abs(square) + SQUARED_FLOOR)
    means = maps.mean(axis=(1, 2), dtype=np.float64)
    entries = np.concatenate([means, (maps * shares).sum(axis=(1, 2)), root, combs])
    better = direct @ entries + out @ np.tanh(hidden @ entries)
    mean = float((pair.amount * shares).sum())
    points = POINTS * mean / (1 + mean)
    return float(towards_one(SCORE_CERTAINTY * better)[0] * points) + 0.0  # removes the sign of zeros


def level_counts(pixels: Pixels) -> NDArray[np.float64]:
    """Histograms of 256 levels of red, green, blue and lightness, (4, 256)."""
    counts = np.zeros((4, LEVELS))
    rows = max(1, 1_000_000 // pixels.shape[1])
    for start in range(0, len(pixels), rows):
        part = pixels[start : start + rows]
        scaled = part.astype(np.float32) / 255
        lightness = np.float32(0.299) * scaled[..., 0] + np.float32(0.587) * scaled[..., 1]
        lightness = lightness + np.float32(0.114) * scaled[..., 2]
        grey = np.rint(lightness * np.float32(LEVELS - 1)).astype(np.uint8)
        for place, levels in enumerate((part[..., 0], part[..., 1], part[..., 2], grey)):
            counts[place] += np.bincount(levels.ravel(), minlength=LEVELS)
    return counts


def histogram_comb_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> Array:
    """How comb-like two histograms are compared with each other: (8,) in −1…1 from `level_counts`; odd in the order."""
    combs_a, combs_b = _combs(a), _combs(b)
    change: Array = ((combs_b - combs_a) / (combs_b + combs_a + COMB_FLOOR)).astype(np.float32)
    return change


def towards_one(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Odd squashing to −1…1."""
    squashed: NDArray[np.floating] = x / np.sqrt(1 + x * x)
    return squashed


def _combs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = counts / counts.sum(axis=1, keepdims=True)
    inner, beside = shares[:, 1:-1], (shares[:, :-2] + shares[:, 2:]) / 2
    rough = np.abs(inner - beside).sum(axis=1)
    empty = ((inner < EMPTY * beside) & (beside > SEEN_LEVEL)).mean(axis=1)
    return np.concatenate([rough, 5 * empty])


def _smoothed(maps: Array, side: int) -> Array:
    """Means of side × side positions, of fewer at the edges."""
    from scipy.ndimage import uniform_filter

    size = (1, side, side)
    inside = uniform_filter(np.ones((1, *maps.shape[1:])), size, mode="constant")
    smoothed: Array = (uniform_filter(maps.astype(np.float64), size, mode="constant") / inside).astype(np.float32)
    return smoothed
