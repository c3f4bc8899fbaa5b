"""An exported encoder on the CPU through ONNX Runtime (does not import torch)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shamisa_cli.core.arrays import Features, FeatureVector, Pixels
from shamisa_cli.core.encoder.embedder import LARGE, Runtime
from shamisa_cli.core.encoder.feature_maps import FeatureMap, Grid
from shamisa_cli.core.encoder.spec import EncoderConfig, Moment
from shamisa_cli.core.errors import PARSE_ERRORS, ModelError, SettingError
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
        return encoder

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""
        return int(self._session.get_outputs()[0].shape[0])

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""
        return self._run(pixels, FEATURES)

    def embed_crops(self, pixels: Pixels) -> Features:
        """The feature vector of each crop, (R, D); R is 1 where the whole picture is read."""
        return self._run(pixels, CROPS) if self.config.features.crops else self.embed(pixels)[None]

    @property
    def lists_maps(self) -> bool:
        """Whether the graph says where its feature maps are; those exported by earlier versions do not."""
        return MAPS in self._session.get_modelmeta().custom_metadata_map

    def feature_maps(self, pixels: Pixels) -> Iterator[FeatureMap]:
        """The maps that the features are pooled from: scale by scale, and the stages in the feature spec's order.

        Raises ModelError unless `lists_maps`.
        """
        import onnxruntime

        names = [name for name, _ in self._maps]
        path_only = onnxruntime.RunOptions()
        path_only.only_execute_path_to_fetches = True  # no pooling of crops
        asked = names if self.config.features.crops else [FEATURES, *names]
        values = self._map_session.run(asked, {"pixels": np.ascontiguousarray(pixels)}, path_only)
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
        graph = with_outputs(self.graph.read_bytes(), {name for name, _ in self._maps})
        return open_session(self.graph, self.weights, threads=1, content=graph)

    def _run(self, pixels: Pixels, output: str) -> FeatureVector:
        whole = np.ascontiguousarray(pixels)
        if whole.shape[0] * whole.shape[1] <= LARGE:
            return _computed(self._session, whole, output)
        with self._alone:
            return _computed(self._wide_session, whole, output)

    @cached_property
    def _session(self) -> InferenceSession:
        return open_session(self.graph, self.weights, threads=1)

    @cached_property
    def _wide_session(self) -> InferenceSession:
        return open_session(self.graph, self.weights, threads=available_cpus())


def _computed(session: InferenceSession, pixels: Pixels, output: str) -> FeatureVector:
    try:
        values: FeatureVector = session.run([output], {"pixels": pixels})[0]
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        if "allocate" in str(error):
            raise MemoryError(str(error)) from error
        raise
    return values


def with_outputs(graph: bytes, names: Iterable[str]) -> bytes:
    """An ONNX model with inner values of its graph as further float32 outputs.

    Protobuf messages that follow each other are one message with the entries of both, so the outputs are appended;
    the numbers of the fields are those of ONNX's format: ModelProto.graph 7, GraphProto.output 12, ValueInfoProto.name
    1 and type 2, TypeProto.tensor_type 1, its elem_type 1 (FLOAT is 1).
    """
    float_tensor = _field(1, b"\x08\x01")
    outputs = [_field(12, _field(1, name.encode()) + _field(2, float_tensor)) for name in sorted(names)]
    return graph + _field(7, b"".join(outputs))


def _field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message with a length: its number and wire type 2, the length, the content."""
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2]) + bytes(length) + content


def open_session(graph: Path, weights: Path, *, threads: int, content: bytes | None = None) -> InferenceSession:
    """Open a session with this number of threads per operator, of the graph's file or of other content for it."""
    try:
        import onnxruntime
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
