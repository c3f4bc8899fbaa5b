"""A large picture, tile by tile, in an ONNX graph: moments of its maps, and the maps themselves."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.feature_maps import Grid, MapPart
from shamisa_cli.core.encoder.graph_edits import AXES, moment_outputs, part_inputs, part_of
from shamisa_cli.core.encoder.moments import Moments
from shamisa_cli.core.encoder.onnx_sessions import computed
from shamisa_cli.core.encoder.tiles import Tile

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True)
class MapPlace:
    """A map in a graph: the name of the value, its cells, and the scale at which the picture is read for it."""

    name: str
    grid: Grid
    scale: float


@dataclass(frozen=True)
class TiledGraph:
    """A graph that gives the moments of parts of its maps, or these parts, and nothing else: see `graph_edits`.

    Attributes:
        session: of the graph.
        places: of the maps; one may be named several times.
    """

    session: InferenceSession
    places: list[MapPlace]

    def moments(self, pixels: Pixels, tiles: Sequence[Tile]) -> list[list[Moments]]:
        """The moments of each map over the own cells of each of these tiles of a picture."""
        return [self._moments(tile, pixels, release=tile is tiles[-1]) for tile in tiles]

    def parts(self, pixels: Pixels, tiles: Sequence[Tile]) -> Iterator[tuple[Tile, list[MapPart]]]:
        """These tiles of a picture, and what each shows of each map."""
        for tile in tiles:
            yield tile, self._parts(tile, pixels, release=tile is tiles[-1])

    def _moments(self, tile: Tile, pixels: Pixels, *, release: bool) -> list[Moments]:
        fed = self._fed(tile, pixels)
        asked: dict[str, None] = {}
        for place in self.places:
            fed |= zip(part_inputs(place.name), tile.own_cells(place.grid, place.scale), strict=True)
            asked |= dict.fromkeys(moment_outputs(place.name))
        values = dict(zip(asked, computed(self.session, list(asked), fed, release=release), strict=True))
        found = []
        for place in self.places:
            mean, variance, shape = (values[name].reshape(-1) for name in moment_outputs(place.name))
            cells = int(shape[2] * shape[3])
            found.append(Moments(cells, mean.astype(np.float64), cells * variance.astype(np.float64)))
        return found

    def _parts(self, tile: Tile, pixels: Pixels, *, release: bool) -> list[MapPart]:
        fed = self._fed(tile, pixels)
        firsts = []
        for place in self.places:
            first, end = tile.own_cells(place.grid, place.scale)
            first = np.maximum(first - 1, 0)
            fed |= zip(part_inputs(place.name), (first, end + 1), strict=True)
            firsts.append((int(first[0]), int(first[1])))
        values = computed(self.session, [part_of(place.name) for place in self.places], fed, release=release)
        return [
            MapPart(part[0], place.grid, place.scale, first)
            for part, place, first in zip(values, self.places, firsts, strict=True)
        ]

    def _fed(self, tile: Tile, pixels: Pixels) -> dict[str, NDArray[Any]]:
        return {"pixels": tile.read(pixels), AXES: np.array([2, 3])}


def added(moments: Iterable[list[Moments]]) -> list[Moments]:
    """The moments of each map over the cells of all tiles."""
    return [functools.reduce(Moments.plus, of_map) for of_map in zip(*moments, strict=True)]
