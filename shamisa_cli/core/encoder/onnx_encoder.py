"""An exported encoder on the CPU through ONNX Runtime (does not import torch)."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Features, FeatureVector, Pixels
from shamisa_cli.core.encoder.embedder import BYTES_PER_PIXEL, LARGE, Runtime
from shamisa_cli.core.encoder.feature_maps import FeatureMap, Grid
from shamisa_cli.core.encoder.graph_edits import AXES, moment_outputs, part_inputs, with_moments, with_outputs
from shamisa_cli.core.encoder.graph_padding import with_repeated_borders
from shamisa_cli.core.encoder.moments import Moments, pooled_features
from shamisa_cli.core.encoder.spec import EncoderConfig, Moment
from shamisa_cli.core.encoder.tiles import Tile, can_be_tiled, most_pixels_read, tiles_of
from shamisa_cli.core.errors import PARSE_ERRORS, ModelError, SettingError
from shamisa_cli.core.machine import available_cpus

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

FEATURES = "features"
CROPS = "crops"
"""Outputs: the features (D,) of a picture and, where crops are read, (R, D) of each."""
FINGERPRINT = "encoder_fingerprint"
"""Metadata key of the fingerprint of the exported encoder."""
MAPS = "feature_maps"
"""Metadata key of a JSON list [value, stride, centre] of the feature maps: the name in the graph, and the `Grid`."""

BYTES_PER_PIXEL_OF_TILE = 450
"""Memory for each pixel of a tile, of which all moments are computed at once."""

FAR_SEEING = 8.0
"""Stride of the maps from which on borders are repeated for score maps: those before see only a few pixels far."""


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
    graph: Path
    weights: Path
    _alone: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    runtime: ClassVar[Runtime] = "onnx"
    device: ClassVar[str] = "cpu"
    concurrent: ClassVar[bool] = True

    @classmethod
    def load(cls, config: EncoderConfig, graph: Path, weights: Path, fingerprint: str) -> OnnxEncoder:
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
                f"{graph} was made from a different encoder than the one beside it. Export it again with: "
                f"shamisa models export {graph.parent}"
            )
        shape = encoder._session.get_outputs()[0].shape
        if len(shape) != 1 or not isinstance(shape[0], int):
            raise ModelError(f"{graph} does not say how many features it gives, so it is not an encoder's.")
        return encoder

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""
        return int(self._session.get_outputs()[0].shape[0])

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""
        features = self._run(pixels, FEATURES)
        if features.shape != (self.feature_length,):
            raise ModelError(f"{self.graph} gives {features.shape} features, and says that it gives another number.")
        return features

    def embed_crops(self, pixels: Pixels) -> Features:
        """The feature vector of each crop, (R, D); R is 1 where the whole picture is read."""
        return self._run(pixels, CROPS) if self.config.features.crops else self.embed(pixels)[None]

    @property
    def lists_maps(self) -> bool:
        """Whether the graph says where its feature maps are; those exported by earlier versions do not."""
        return MAPS in self._session.get_modelmeta().custom_metadata_map

    def feature_maps(self, pixels: Pixels) -> Iterator[FeatureMap]:
        """Maps as those that the features are pooled from: scale by scale, and the stages in the feature spec's order.

        The borders of all maps are repeated where the encoder pads them with zeros, which it sees as a frame.

        Raises ModelError unless `lists_maps`.
        """
        names = [name for name, _ in self._maps]
        asked = names if self.config.features.crops else [FEATURES, *names]
        values = self._map_session.run(asked, {"pixels": np.ascontiguousarray(pixels)}, _asked_alone())
        features, maps = (None, values) if asked is names else (values[0], values[1:])
        for (_, grid), feature_map in zip(self._maps, maps, strict=True):
            pooled: dict[Moment, FeatureVector] | None = None
            if features is not None:
                moments = self.config.features.moments
                blocks = np.split(features[: len(moments) * feature_map.shape[1]], len(moments))
                features = features[len(moments) * feature_map.shape[1] :]
                pooled = dict(zip(moments, blocks, strict=True))
            yield FeatureMap(feature_map, grid, pooled)

    @cached_property
    def _maps(self) -> list[tuple[str, Grid]]:
        try:
            listed = json.loads(self._session.get_modelmeta().custom_metadata_map[MAPS])
            return [(str(name), Grid(float(stride), float(centre))) for name, stride, centre in listed]
        except (KeyError, *PARSE_ERRORS, TypeError) as error:
            raise ModelError(
                f"{self.graph} does not list its feature maps. Export it again with: "
                f"shamisa models export {self.graph.parent}"
            ) from error

    @cached_property
    def _map_session(self) -> InferenceSession:
        names = [name for name, _ in self._maps]
        first = next((name for name, grid in self._maps if grid.stride >= FAR_SEEING), names[-1])
        graph = with_repeated_borders(with_outputs(self.graph.read_bytes(), set(names)), first)
        return open_session(self.graph, self.weights, threads=1, content=graph)

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
        return can_be_tiled((grid, scale) for (_, grid), scale in zip(self._maps, self._scales_of_maps, strict=True))

    @property
    def _scales_of_maps(self) -> list[float]:
        spec = self.config.features
        return [scale for scale in spec.scales for _ in spec.stages]

    def _run(self, pixels: Pixels, output: str) -> FeatureVector:
        if pixels.shape[0] * pixels.shape[1] <= LARGE:
            return _computed(self._session, np.ascontiguousarray(pixels), output)
        with self._alone:
            if self._reads_tiles:
                return self._sum_of_tiles(pixels)
            return _computed(self._wide_session, np.ascontiguousarray(pixels), output)

    def _sum_of_tiles(self, pixels: Pixels) -> FeatureVector:
        """The features (D,) of a picture that is read tile by tile."""
        total: list[Moments] = []
        height, width = pixels.shape[:2]
        for tile in tiles_of(height, width, min(self.config.features.scales)):
            found = self._moments_of_tile(tile, pixels)
            total = [one.plus(other) for one, other in zip(total, found, strict=True)] if total else found
        return pooled_features(total, self.config.features.moments)

    def _moments_of_tile(self, tile: Tile, pixels: Pixels) -> list[Moments]:
        """The moments of each map over the tile's own cells."""
        fed: dict[str, NDArray[Any]] = {"pixels": tile.read(pixels), AXES: np.array([2, 3])}
        asked: list[str] = []
        for (name, grid), scale in zip(self._maps, self._scales_of_maps, strict=True):
            fed |= zip(part_inputs(name), tile.own_cells(grid, scale), strict=True)
            asked += moment_outputs(name)
        values = [value.reshape(-1) for value in self._tile_session.run(asked, fed, _asked_alone())]
        return [
            Moments(
                int(shape[2] * shape[3]), mean.astype(np.float64), shape[2] * shape[3] * variance.astype(np.float64)
            )
            for mean, variance, shape in zip(values[::3], values[1::3], values[2::3], strict=True)
        ]

    @cached_property
    def _tile_session(self) -> InferenceSession:
        graph = with_moments(self.graph.read_bytes(), [name for name, _ in self._maps])
        return open_session(self.graph, self.weights, threads=available_cpus(), content=graph)

    @cached_property
    def _session(self) -> InferenceSession:
        return open_session(self.graph, self.weights, threads=1)

    @cached_property
    def _wide_session(self) -> InferenceSession:
        return open_session(self.graph, self.weights, threads=available_cpus())


def _asked_alone() -> RunOptions:
    """To compute nothing but the outputs that are asked for: no features, and no pooling of crops."""
    options: RunOptions = _library().RunOptions()
    options.only_execute_path_to_fetches = True
    return options


def _computed(session: InferenceSession, pixels: Pixels, output: str) -> FeatureVector:
    try:
        values: FeatureVector = session.run([output], {"pixels": pixels})[0]
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        if "allocate" in str(error):
            raise MemoryError(str(error)) from error
        raise
    return values


def _library() -> Any:
    """ONNX Runtime, which reports nothing to its makers unless the user has set ORT_DISABLE_TELEMETRY otherwise.

    From release 1.32 it numbers the machine in a file of the user's cache and sends events over the network.
    Raises ImportError.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is loaded
    import onnxruntime

    return onnxruntime


def open_session(graph: Path, weights: Path, *, threads: int, content: bytes | None = None) -> InferenceSession:
    """Open a session with this number of threads per operator, of the graph's file or of other content for it."""
    try:
        onnxruntime = _library()
    except ImportError as error:
        raise SettingError(
            "ONNX Runtime is not installed. Install it with: pip install onnxruntime.", remedy="take-torch"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads sleep, since decoding needs the processors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Images differ in size, so memory plans cached per size would accumulate.
    options.enable_mem_pattern = False
    try:
        stored = weights.read_bytes()
        # Use the weights file that was checked, with links in the Hub's cache resolved.
        options.add_external_initializers_from_files_in_memory([weights.name], [stored], [len(stored)])
        return onnxruntime.InferenceSession(content or graph.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{graph} cannot be used by ONNX Runtime ({reason}). Download or copy the folder again."
        ) from error
