"""Large images in overlapping windows, and sides continued to what the networks take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.arrays import Pixels

MULTIPLE = 16
"""Sides of images must be multiples of this, the stride of the coarsest stage."""

WINDOW_PIXELS = 1_500_000
"""Largest number of pixels compared at once: about a gigabyte of feature maps. Smaller images are never divided."""


@dataclass(frozen=True)
class Span:
    """Part of one side, in pixels: the result for `start` to `stop` is computed from `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int


def windows(height: int, width: int, most: int, halo: int) -> Iterator[tuple[Span, Span]]:
    """The cheapest grid of overlapping windows within the limit of pixels, row by row."""
    grids = (_grid(height, width, rows, most, halo) for rows in range(1, 1 + math.ceil(height / MULTIPLE)))
    rows, columns = min((grid for grid in grids if grid is not None), key=lambda grid: _seen(grid[0]) * _seen(grid[1]))
    for y in rows:
        for x in columns:
            yield y, x


def _grid(height: int, width: int, count: int, most: int, halo: int) -> tuple[list[Span], list[Span]] | None:
    """Grid of `count` rows and as few columns as the limit allows; None if even the narrowest are too large."""
    rows = _spans(height, count, halo)
    room = most // max(span.last - span.first for span in rows)
    if room >= width:
        return rows, _spans(width, 1, halo)
    part = (room - 2 * halo) // MULTIPLE * MULTIPLE
    return (rows, _spans(width, math.ceil(width / part), halo)) if part > 0 else None


def _seen(spans: list[Span]) -> int:
    return sum(span.last - span.first for span in spans)


def _spans(side: int, count: int, halo: int) -> list[Span]:
    """Divide a side into at most `count` equal parts, each with its surroundings within the image."""
    part = math.ceil(side / count / MULTIPLE) * MULTIPLE
    ends = [(start, min(side, start + part)) for start in range(0, side, part)]
    return [Span(start, stop, max(0, start - halo), min(side, stop + halo)) for start, stop in ends]


def mirrored(pixels: Pixels) -> Pixels:
    """Extend the image to the right and downwards by mirroring, to sides that are multiples of `MULTIPLE`."""
    missing = [(0, -side % MULTIPLE) for side in pixels.shape[:2]]
    return np.pad(pixels, [*missing, (0, 0)], mode="symmetric") if any(map(any, missing)) else pixels
