"""Export of a model's encoder into the model's folder, so that scoring does not need torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import manifest
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.manifest import MODEL_GRAPH, MODEL_MANIFEST
from shamisa_cli.core.networks.export.encoder_graph import export_graph
from shamisa_cli.core.networks.model_folders import load_encoder

TOLERANCE = 1e-3
"""Largest allowed difference of features relative to their norm; rounding causes some 1e-6."""
CHECKED_SIZES = ((192, 128), (133, 201))
"""Height and width in pixels of the test image; its half and quarter copies are large enough for every network."""


def add_graph(folder: Path) -> Path:
    """Write encoder.onnx into a model folder and its manifest, and return its path; the weights are not copied.

    The encoder and its fingerprint do not change, so its probes stay valid.

    Raises:
        ModelError: it is not a model folder, is damaged, or the graph's features differ from the encoder's.
        SettingError: onnx or onnxruntime is not installed, or the encoder cannot be exported.
        OSError: the folder cannot be written.
    """
    model = ModelFolder.open(folder, EncoderConfig)
    encoder = load_encoder(model)
    with manifest.replacing_together(folder, [MODEL_GRAPH, MODEL_MANIFEST]) as (graph, listing):
        graph.write_bytes(export_graph(encoder, model.weights, model.fingerprint))
        _require_same(encoder, OnnxEncoder.load(model.config, graph, model.weights, model.fingerprint))
        entries = manifest.read_manifest(folder / MODEL_MANIFEST)
        files = {**entries["files"], MODEL_GRAPH: manifest.sha256_of(graph)}
        manifest.write_manifest(listing, {**entries, "files": files})
    return folder / MODEL_GRAPH


def _require_same(encoder: Embedder, exported: Embedder) -> None:
    generator = np.random.default_rng(0)
    for height, width in CHECKED_SIZES:
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = encoder.embed(pixels)
        apart = float(np.linalg.norm(exported.embed(pixels) - expected) / np.linalg.norm(expected))
        if not apart < TOLERANCE:
            raise ModelError(
                f"The exported graph gives other features than the encoder ({apart:.1g} of their norm apart), so it "
                "was not written.",
                remedy="score-with-torch-and-report",
            )
