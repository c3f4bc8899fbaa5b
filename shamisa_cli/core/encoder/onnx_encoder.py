"""An exported encoder on the CPU through ONNX Runtime (does not import torch)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shamisa_cli.core.arrays import Features, FeatureVector, Pixels
from shamisa_cli.core.encoder.embedder import Runtime
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.machine import available_cpus

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

LARGE = 2_000_000
"""Pixels above which an image is computed alone on all processors: several at once would need gigabytes."""

FEATURES = "features"
CROPS = "crops"
"""Outputs: the features (D,) of a picture and, where crops are read, (R, D) of each."""
FINGERPRINT = "encoder_fingerprint"
"""Metadata key of the fingerprint of the exported encoder."""


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


def open_session(graph: Path, weights: Path, *, threads: int) -> InferenceSession:
    """Open a session with this number of threads per operator."""
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
        return onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{graph} cannot be used by ONNX Runtime ({reason}). Download or copy the folder again."
        ) from error
