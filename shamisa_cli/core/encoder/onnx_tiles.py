"""A large picture, tile by tile, in an ONNX graph: moments of its maps, and the maps themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.feature_maps import Grid, MapPart
from shamisa_cli.core.encoder.graph_edits import AXES, moment_outputs, part_inputs, part_of
from shamisa_cli.core.encoder.moments import Moments
from shamisa_cli.core.encoder.onnx_sessions import computed
from shamisa_cli.core.encoder.tiles import Tile, tiles_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Parts = list[MapPart]
"""What a tile shows of each map."""


@dataclass(frozen=True)
class MapPlace:
    """A map in a graph: the name of the value, its cells, and the scale at which the picture is read for it."""

    name: str
    grid: Grid
    scale: float


@dataclass(frozen=True)
class TiledGraph:
    """A graph with moments of parts of its maps, as `graph_edits.with_moments` makes it.

    Attributes:
        session: of the graph.
        places: of the maps; one may be named several times.
    """

    session: InferenceSession
    places: list[MapPlace]

    def moments(self, pixels: Pixels) -> list[Moments]:
        """The moments of each map of a whole picture."""
        total: list[Moments] = []
        for tile in self._tiles(pixels):
            found = self._moments_of_tile(tile, pixels)
            total = [one.plus(other) for one, other in zip(total, found, strict=True)] if total else found
        return total

    def parts(self, pixels: Pixels, last: int) -> Iterator[tuple[Tile, Parts]]:
        """The tiles of a picture, and what each shows of the last so many of the maps, whose parts are outputs."""
        for tile in self._tiles(pixels):
            fed = self._fed(tile, pixels)
            found = []
            for place in self.places:  # all inputs of a graph must be given
                first, end = tile.own_cells(place.grid, place.scale)
                first = np.maximum(first - 1, 0)
                fed |= zip(part_inputs(place.name), (first, end + 1), strict=True)
                found.append((place, first))
            found = found[-last:]
            values = computed(self.session, [part_of(place.name) for place, _ in found], fed)
            yield (
                tile,
                [
                    MapPart(part[0], place.grid, place.scale, (int(row), int(column)))
                    for part, (place, (row, column)) in zip(values, found, strict=True)
                ],
            )

    def _moments_of_tile(self, tile: Tile, pixels: Pixels) -> list[Moments]:
        """The moments of each map over the tile's own cells."""
        fed = self._fed(tile, pixels)
        asked: dict[str, None] = {}
        for place in self.places:
            fed |= zip(part_inputs(place.name), tile.own_cells(place.grid, place.scale), strict=True)
            asked |= dict.fromkeys(moment_outputs(place.name))
        values = dict(zip(asked, computed(self.session, list(asked), fed), strict=True))
        found = []
        for place in self.places:
            mean, variance, shape = (values[name].reshape(-1) for name in moment_outputs(place.name))
            cells = int(shape[2] * shape[3])
            found.append(Moments(cells, mean.astype(np.float64), cells * variance.astype(np.float64)))
        return found

    def _tiles(self, pixels: Pixels) -> Iterator[Tile]:
        return tiles_of(pixels.shape[0], pixels.shape[1], min(place.scale for place in self.places))

    def _fed(self, tile: Tile, pixels: Pixels) -> dict[str, NDArray[Any]]:
        return {"pixels": tile.read(pixels), AXES: np.array([2, 3])}
