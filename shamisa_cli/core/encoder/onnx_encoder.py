"""An exported encoder on the CPU through ONNX Runtime (does not import torch)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shamisa_cli.core.arrays import Features, FeatureVector, Pixels
from shamisa_cli.core.encoder.embedder import BYTES_PER_PIXEL, LARGE, Runtime
from shamisa_cli.core.encoder.feature_maps import FAR_SEEING, FeatureMap, Grid, MapPart
from shamisa_cli.core.encoder.graph_edits import giving, moment_outputs, part_of, with_moments, with_parts
from shamisa_cli.core.encoder.graph_padding import BRANCH, with_repeated_borders
from shamisa_cli.core.encoder.moments import Moments, pooled_features
from shamisa_cli.core.encoder.onnx_sessions import computed, open_session
from shamisa_cli.core.encoder.onnx_tiles import MapPlace, TiledGraph, added
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.encoder.tiles import HALO, MAP_HALO, Tile, can_be_tiled, most_pixels_read, tiles_of
from shamisa_cli.core.errors import PARSE_ERRORS, ModelError
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.machine import available_cpus

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FEATURES = "features"
CROPS = "crops"
"""Outputs: the features (D,) of a picture and, where crops are read, (R, D) of each."""
FINGERPRINT = "encoder_fingerprint"
"""Metadata key of the fingerprint of the exported encoder."""
MAPS = "feature_maps"
"""Metadata key of a JSON list [value, stride, centre] of the feature maps: the name in the graph, and the `Grid`."""

BYTES_PER_PIXEL_OF_TILE = 450
"""Memory for each pixel of a tile, of which all moments are computed at once."""


@dataclass(frozen=True)
class OnnxEncoder:
    """A frozen encoder read from its ONNX graph.

    Several threads may embed at once: an image of the usual size is computed on one processor, which uses all of
    them as long as enough images are computed in parallel. Features depend on the image's pixels alone.

    Attributes:
        config: architecture, feature spec and preprocessing.
        graph: the ONNX file.
        weights: the safetensors file that the graph takes its weights from.
    """

    config: EncoderConfig
    graph: KnownFile
    weights: KnownFile
    _alone: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    runtime: ClassVar[Runtime] = "onnx"
    device: ClassVar[str] = "cpu"
    concurrent: ClassVar[bool] = True

    @classmethod
    def load(cls, config: EncoderConfig, graph: KnownFile, weights: KnownFile, fingerprint: str) -> OnnxEncoder:
        """Read the graph of the encoder with this fingerprint.

        Raises:
            SettingError: onnxruntime is not installed.
            ModelError: the graph cannot be read, or was made from another encoder.
        """
        encoder = cls(config, graph, weights)
        made_from = encoder._session.get_modelmeta().custom_metadata_map.get(FINGERPRINT)
        gives_crops = CROPS in {output.name for output in encoder._session.get_outputs()}
        if made_from != fingerprint or gives_crops != (config.features.crops is not None):
            raise ModelError(
                f"{graph.path} was made from a different encoder than the one beside it. Export it again with: "
                f"shamisa models export {graph.path.parent}"
            )
        shape = encoder._session.get_outputs()[0].shape
        if len(shape) != 1 or not isinstance(shape[0], int):
            raise ModelError(f"{graph.path} does not say how many features it gives, so it is not an encoder's.")
        return encoder

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, also in another process, opens the files anew."""
        return type(self), (self.config, self.graph, self.weights)

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""
        return int(self._session.get_outputs()[0].shape[0])

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""
        features = self._run(pixels, FEATURES)
        if features.shape != (self.feature_length,):
            raise ModelError(
                f"{self.graph.path} gives {features.shape} features, and says that it gives another number."
            )
        return features

    def embed_crops(self, pixels: Pixels) -> Features:
        """The feature vector of each crop, (R, D); R is 1 where the whole picture is read."""
        return self._run(pixels, CROPS) if self.config.features.crops else self.embed(pixels)[None]

    @property
    def lists_maps(self) -> bool:
        """Whether the graph says where its feature maps are; those exported by earlier versions do not."""
        return MAPS in self._session.get_modelmeta().custom_metadata_map

    def features_and_maps(self, pixels: Pixels) -> tuple[FeatureVector, list[FeatureMap]]:
        """The features (D,), and maps as those that they are pooled from, computed at once, on one processor.

        The maps come scale by scale, and the stages in the feature spec's order. In the later ones borders are repeated
        where the encoder pads maps with zeros, which it sees as a frame.

        Raises ModelError unless `lists_maps`.
        """
        with self._opening:
            session = self._map_session
        asked = [FEATURES, *self._branched[1]]
        features, pooled, *maps = computed(session, asked, {"pixels": np.ascontiguousarray(pixels)})
        moments = () if self.config.features.crops else self.config.features.moments
        found = []
        for (_, grid), values in zip(self._maps, maps, strict=True):
            blocks, pooled = np.split(pooled, [len(moments) * values.shape[1]])
            of_map = dict(zip(moments, np.split(blocks, len(moments)), strict=True)) if moments else None
            found.append(FeatureMap(values, grid, of_map))
        return features, found

    @cached_property
    def _maps(self) -> list[tuple[str, Grid]]:
        try:
            listed = json.loads(self._session.get_modelmeta().custom_metadata_map[MAPS])
            return [(str(name), Grid(float(stride), float(centre))) for name, stride, centre in listed]
        except (KeyError, *PARSE_ERRORS, TypeError) as error:
            raise ModelError(
                f"{self.graph.path} does not list its feature maps. Export it again with: "
                f"shamisa models export {self.graph.path.parent}"
            ) from error

    @cached_property
    def _branched(self) -> tuple[bytes, list[str]]:
        """A graph that repeats borders, and what the features and each map are called in it."""
        names = [name for name, _ in self._maps]
        far = [name for name, grid in self._maps if grid.stride >= FAR_SEEING]
        graph, twins = with_repeated_borders(self.graph.read_bytes(), far or names[-1:])
        return graph, [name + BRANCH if name in twins else name for name in (FEATURES, *names)]

    @cached_property
    def _map_session(self) -> InferenceSession:
        graph, names = self._branched
        return open_session(self.graph, self.weights, threads=1, content=giving(graph, [FEATURES, *names]))

    def reads_by_tiles(self, height: int, width: int) -> bool:
        """Whether a picture of this size is read tile by tile."""
        return height * width > LARGE and self._reads_tiles

    def features_and_tiles(
        self, pixels: Pixels
    ) -> tuple[FeatureVector, list[Moments], Iterator[tuple[Tile, list[MapPart]]]]:
        """Of a picture that is read by tiles: its features (D,), and of its maps the moments, and their parts by tiles.

        The maps are those of `features_and_maps`.
        """
        tiles = self._tiles_of(pixels, HALO)
        count, border = len(self._maps), [tile for tile in tiles if tile.reads_border]
        inner = [tile for tile in tiles if not tile.reads_border]
        with self._alone:
            # Without a border to repeat the maps are those that the features are pooled from.
            found = {tile: 2 * of_tile for tile, of_tile in zip(inner, self._tiles.moments(pixels, inner), strict=True)}
            found |= zip(border, self._map_moments.moments(pixels, border), strict=True)
        moments = added(found[tile] for tile in tiles)
        return pooled_features(moments[:count], self.config.features.moments), moments[count:], self._parts(pixels)

    def _parts(self, pixels: Pixels) -> Iterator[tuple[Tile, list[MapPart]]]:
        with self._alone:
            yield from self._map_parts.parts(pixels, self._tiles_of(pixels, MAP_HALO))

    def _tiles_of(self, pixels: Pixels, halo: int) -> list[Tile]:
        return list(tiles_of(pixels.shape[0], pixels.shape[1], min(self.config.features.scales), halo))

    @cached_property
    def _map_moments(self) -> TiledGraph:
        """Of the maps that the features are pooled from, and then of those with repeated borders."""
        return self._with_moments(self._branched[0], [*self._places, *self._twins])

    @cached_property
    def _map_parts(self) -> TiledGraph:
        """Of the maps with repeated borders."""
        names = {place.name for place in self._twins}
        graph = giving(with_parts(self._branched[0], names), map(part_of, names))
        return TiledGraph(self._tile_session(graph), self._twins)

    def _with_moments(self, graph: bytes, places: list[MapPlace]) -> TiledGraph:
        names = {place.name for place in places}
        outputs = [moment_outputs(name) for name in names]
        floats = [name for mean, variance, _ in outputs for name in (mean, variance)]
        graph = giving(with_moments(graph, names), floats, [shape for _, _, shape in outputs])
        return TiledGraph(self._tile_session(graph), places)

    def _tile_session(self, graph: bytes) -> InferenceSession:
        return open_session(self.graph, self.weights, threads=available_cpus(), content=graph)

    @property
    def _twins(self) -> list[MapPlace]:
        """As `_places`, of the maps with repeated borders."""
        return [replace(place, name=name) for place, name in zip(self._places, self._branched[1][1:], strict=True)]

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that a picture of this size takes to embed: where it is read by tiles, those of a tile."""
        if height * width <= LARGE or not self._reads_tiles:
            return BYTES_PER_PIXEL * height * width
        return BYTES_PER_PIXEL_OF_TILE * min(height * width, most_pixels_read(min(self.config.features.scales)))

    @cached_property
    def _reads_tiles(self) -> bool:
        """Whether large pictures are read by tiles, as their features are sums over the cells of maps."""
        spec = self.config.features
        if spec.crops or not self.lists_maps:
            return False
        return can_be_tiled((place.grid, place.scale) for place in self._places)

    @property
    def _places(self) -> list[MapPlace]:
        spec = self.config.features
        scales = [scale for scale in spec.scales for _ in spec.stages]
        return [MapPlace(name, grid, scale) for (name, grid), scale in zip(self._maps, scales, strict=True)]

    def _run(self, pixels: Pixels, output: str) -> FeatureVector:
        if pixels.shape[0] * pixels.shape[1] <= LARGE:
            [found] = computed(self._session, [output], {"pixels": np.ascontiguousarray(pixels)})
            return found
        with self._alone:
            if self._reads_tiles:
                moments = added(self._tiles.moments(pixels, self._tiles_of(pixels, HALO)))
                return pooled_features(moments, self.config.features.moments)
            [found] = computed(self._wide_session, [output], {"pixels": np.ascontiguousarray(pixels)})
            return found

    @cached_property
    def _tiles(self) -> TiledGraph:
        return self._with_moments(self.graph.read_bytes(), self._places)

    @cached_property
    def _session(self) -> InferenceSession:
        return open_session(self.graph, self.weights, threads=1)

    @cached_property
    def _wide_session(self) -> InferenceSession:
        return open_session(self.graph, self.weights, threads=available_cpus())
