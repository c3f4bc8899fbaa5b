"""Feature maps of an encoder, and where their cells lie in the picture (does not import torch)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.encoder.spec import Moment

FAR_SEEING = 8.0
"""Stride of the maps from which on borders are repeated for score maps: those before see only a few pixels far."""


@dataclass(frozen=True)
class Grid:
    """Where the cells of a feature map lie along one axis of what the network reads.

    Attributes:
        stride: distance of the centres of neighbouring cells, in pixels.
        centre: of the first cell, in pixels from the edge: 0.5 is the middle of the first pixel.
    """

    stride: float = 1.0
    centre: float = 0.5

    def after(self, kernel: int, stride: int, before: int, dilation: int = 1) -> Grid:
        """The grid after a convolution or pooling that reads `kernel` cells, with `before` cells of padding."""
        middle = dilation * (kernel - 1) / 2 - before
        return Grid(self.stride * stride, self.centre + self.stride * middle)


@dataclass(frozen=True)
class FeatureMap:
    """One stage of the network at one scale, for one picture.

    Attributes:
        values: (R, C, h, w) float32; R crops, or 1 where the whole picture is read.
        grid: of its cells.
        pooled: (C,) float32 for each moment that the features have of it, of unit norm; None where they were not
            computed with it, or are those of several crops.
    """

    values: NDArray[np.float32]
    grid: Grid
    pooled: Mapping[Moment, NDArray[np.float32]] | None = None


@dataclass(frozen=True)
class MapPart:
    """The cells of a feature map that a tile of a large picture shows: its own, and one more on each side.

    Attributes:
        values: (C, h, w) float32.
        grid: of the map of what was read for the tile.
        scale: at which it was read.
        first: row and column of the first of these cells in that map.
    """

    values: NDArray[np.float32]
    grid: Grid
    scale: float
    first: tuple[int, int]
