"""Means and deviations of feature maps, of a whole map or added up from its parts (does not import torch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import FeatureVector, Vector
from shamisa_cli.core.encoder.spec import Moment

STD_EPSILON = 1e-6
"""Added to a variance before its square root, as in the encoder (core/networks/features.py)."""
LEAST_NORM = 1e-12
CHUNK = 2**17
"""Values of a map that are handled at a time: what fits into a core's cache."""


@dataclass(frozen=True)
class Moments:
    """Mean and spread of each channel over cells.

    Attributes:
        cells: their number.
        means: (C,).
        squares: (C,) sums of squared distances from the mean.
    """

    cells: int
    means: Vector
    squares: Vector

    @property
    def deviations(self) -> Vector:
        """(C,), as the encoder's features have them."""
        deviations: Vector = np.sqrt(self.squares / self.cells + STD_EPSILON)
        return deviations

    def plus(self, other: Moments) -> Moments:
        """The moments over the cells of both (Chan, Golub and LeVeque, The American Statistician 37, 1983)."""
        cells, apart = self.cells + other.cells, other.means - self.means
        means = self.means + apart * (other.cells / cells)
        squares = self.squares + other.squares + np.square(apart) * (self.cells * other.cells / cells)
        return Moments(cells, means, squares)


def moments_of(values: NDArray[np.float32]) -> Moments:
    """The moments of a map (C, h, w), counted from each channel's first value, so that no digits cancel."""
    start = np.ascontiguousarray(values[:, 0, 0])
    sums, squares = np.zeros(len(values)), np.zeros(len(values))
    for _, chunk in centred_chunks(values, start):
        ones = np.ones(chunk.shape[1], np.float32)
        sums += chunk @ ones
        squares += np.square(chunk, out=chunk) @ ones
    cells = values.shape[1] * values.shape[2]
    means = sums / cells
    return Moments(cells, start + means, np.maximum(squares - cells * np.square(means), 0))


def pooled_features(moments: Sequence[Moments], wanted: Sequence[Moment]) -> FeatureVector:
    """The features (D,) of a picture whose maps have these moments: blocks of unit norm, as the encoder pools them."""
    blocks = []
    for of_map in moments:
        by_name: Mapping[Moment, Vector] = {"mean": of_map.means, "std": of_map.deviations}
        blocks += [by_name[name] / max(float(np.linalg.norm(by_name[name])), LEAST_NORM) for name in wanted]
    return np.concatenate(blocks).astype(np.float32)


def centred_chunks(
    values: NDArray[np.float32], centres: NDArray[np.float32]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Values less the centre of their channel, (C, n): some cells at a time, and which of all h · w they are.

    Few enough for the processor's cache; each is overwritten by the next.
    """
    flat = values.reshape(len(values), -1)
    cells = flat.shape[1]
    size = max(1, CHUNK // len(values))
    room = np.empty((len(values), min(size, cells)), np.float32)
    for first in range(0, cells, size):
        some = flat[:, first : first + size]
        chunk = room[:, : some.shape[1]]
        np.subtract(some, centres[:, None], out=chunk)
        yield slice(first, first + size), chunk
