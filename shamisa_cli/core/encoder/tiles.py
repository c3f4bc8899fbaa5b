"""Overlapping tiles by which a network reads a large picture in bounded memory (does not import torch).

Each tile is read with a halo of the pixels around it, so that the cells of its own part see what they would see in
the whole picture; only the picture's own border is padded. Tiles begin at multiples of what the network reduces by,
so their cells are those of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.feature_maps import Grid

ALIGNMENT = 64
"""Pixels that tiles begin and end at multiples of: strides up to 32 at full and half scale."""
TILE = 11 * ALIGNMENT
"""Most pixels of a side, without the halo."""
HALO = 5 * ALIGNMENT
"""Pixels of the smallest copy that is read. Later stages of the EfficientNets see up to 525 far, most of it nearer."""
MAP_HALO = 3 * ALIGNMENT
"""The same where the map is drawn: the score needs its features to more digits than colours show."""

TO_BORDER = 2**40
"""Pixels: an end beyond any picture, for tiles that have all cells up to its border."""

Span = tuple[int, int, int, int]
"""Along one axis, in pixels: first and end of what is read, first and end of the tile's own part."""


@dataclass(frozen=True)
class Tile:
    """A part of a picture, along rows and along columns, and the picture's height and width."""

    rows: Span
    columns: Span
    size: tuple[int, int]

    @property
    def reads_border(self) -> bool:
        """Whether the network reads the picture's border with it."""
        spans = zip((self.rows, self.columns), self.size, strict=True)
        return any(start == 0 or stop == side for (start, stop, _, _), side in spans)

    def read(self, pixels: Pixels) -> Pixels:
        """The part of the whole picture (H, W, 3) that the network reads."""
        part = pixels[self.rows[0] : self.rows[1], self.columns[0] : self.columns[1]]
        return np.ascontiguousarray(part)

    def own_cells(self, grid: Grid, scale: float) -> NDArray[np.int64]:
        """Row and column where the tile's own cells begin, and where they end, in the map of what was read: (2, 2).

        Args:
            grid: of the map.
            scale: at which the picture was read.
        """
        spans = [
            (first - start, TO_BORDER if end == side else end - start)
            for (start, _, first, end), side in zip((self.rows, self.columns), self.size, strict=True)
        ]
        return np.rint(np.array(spans) * (scale / grid.stride)).astype(np.int64).T


def tiles_of(height: int, width: int, smallest: float, halo: int) -> Iterator[Tile]:
    """The tiles of a picture, row by row, of about equal sizes.

    Args:
        height, width: of the picture.
        smallest: the least scale that it is read at.
        halo: pixels around a tile that are read at this scale.
    """
    halo = round(halo / smallest)
    for rows in _spans(height, halo):
        for columns in _spans(width, halo):
            yield Tile(rows, columns, (height, width))


def most_pixels_read(smallest: float) -> int:
    """Pixels of the largest tile with its halo."""
    return (TILE + 2 * round(HALO / smallest)) ** 2


def can_be_tiled(grids: Iterable[tuple[Grid, float]]) -> bool:
    """Whether tiles begin at cells of all these maps, each given with the scale it is read at."""
    return all((ALIGNMENT * scale / grid.stride).is_integer() for grid, scale in grids)


def _spans(side: int, halo: int) -> Iterator[Span]:
    count = -(-side // TILE)
    step = -(-side // (count * ALIGNMENT)) * ALIGNMENT
    for first in range(0, side, step):
        end = min(side, first + step)
        yield max(0, first - halo), min(side, end + halo), first, end
