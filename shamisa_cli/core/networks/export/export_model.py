"""Export of a model's encoder into the model's folder, so that scoring does not need torch."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from shamisa_cli.core.atomic import filling
from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.encoder.onnx_encoder import FINGERPRINT, OnnxEncoder
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.models import manifest
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.manifest import MODEL_GRAPH, MODEL_MANIFEST, RELATIONAL_MANIFEST
from shamisa_cli.core.networks.comparer import RelationalComparer
from shamisa_cli.core.networks.export.encoder_graph import export_graph
from shamisa_cli.core.networks.export.relational_graphs import export_relational_graphs
from shamisa_cli.core.networks.model_folders import load_encoder, load_networks
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.relational.judgement import RelationalNetworks
from shamisa_cli.core.relational.onnx_networks import OnnxComparer
from shamisa_cli.core.relational.records import GRAPHS
from shamisa_cli.core.sole_writer import writes

TOLERANCE = 1e-3
"""Largest allowed difference of features relative to their norm; rounding causes some 1e-6."""
MAP_TOLERANCE = 5e-3
"""Largest difference of maps, as a share of their range."""
CHECKED_SIZES = ((192, 128), (133, 201))
"""Height and width in pixels of the test image; its half and quarter copies are large enough for every network."""


@writes("folder")
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
    with filling(folder, [MODEL_GRAPH, MODEL_MANIFEST]) as (graph, listing):
        graph.write_bytes(export_graph(encoder, model.weights.path, model.fingerprint))
        written = KnownFile.of(graph)
        _require_same(encoder, OnnxEncoder.load(model.config, written, model.weights, model.fingerprint))
        entries = model.files.manifest(MODEL_MANIFEST)
        files = {**entries["files"], MODEL_GRAPH: written.sha256}
        manifest.write_manifest(listing, {**entries, "files": files})
    return folder / MODEL_GRAPH


@writes("folder")
def add_relational_graphs(folder: Path) -> tuple[Path, ...]:
    """Write the graphs of networks that compare into their folder and into its list, and name them.

    Raises:
        ModelError: it is no folder of a relational model, is damaged, or the graphs do not give what the networks give.
        SettingError: onnx or onnxruntime is not installed.
        OSError: the folder cannot be written.
    """
    model = ModelFolder.open(folder, RelationalConfig)
    networks = load_networks(model)
    names = (*GRAPHS, RELATIONAL_MANIFEST)
    with filling(folder, names) as (*graphs, listing):
        exported = export_relational_graphs(networks, model.weights.path, {FINGERPRINT: model.fingerprint})
        for path, name in zip(graphs, GRAPHS, strict=True):
            path.write_bytes(exported[name])
        written = {name: KnownFile.of(path) for name, path in zip(GRAPHS, graphs, strict=True)}
        comparer = OnnxComparer.load(model.identity, written, model.weights, model.fingerprint)
        _require_same_maps(RelationalComparer(model.identity, networks), comparer)
        entries = model.files.manifest(RELATIONAL_MANIFEST)
        files = entries["files"] | {name: file.sha256 for name, file in written.items()}
        manifest.write_manifest(listing, {**entries, "files": files})
    return tuple(folder / name for name in GRAPHS)


def verify_graphs(folder: Path) -> tuple[str, ...]:
    """Compare the graphs of a folder with the weights beside them on fixed images; names of the compared graphs.

    Raises:
        ModelError: a graph computes something else than the weights, or the folder is damaged.
        SettingError: onnxruntime is not installed.
    """
    found: tuple[str, ...] = ()
    if manifest.exists(folder / MODEL_MANIFEST):
        model = ModelFolder.open(folder, EncoderConfig)
        if model.exported:
            exported = OnnxEncoder.load(model.config, model.graphs[MODEL_GRAPH], model.weights, model.fingerprint)
            _require_same(load_encoder(model), exported)
            found += (MODEL_GRAPH,)
    if manifest.exists(folder / RELATIONAL_MANIFEST):
        networks = ModelFolder.open(folder, RelationalConfig)
        if networks.exported:
            comparer = OnnxComparer.load(networks.identity, networks.graphs, networks.weights, networks.fingerprint)
            _require_same_maps(RelationalComparer(networks.identity, load_networks(networks)), comparer)
            found += tuple(GRAPHS)
    return found


def _require_same_maps(networks: RelationalNetworks, exported: RelationalNetworks) -> None:
    generator = np.random.default_rng(0)
    for height, width in CHECKED_SIZES:
        first, second = generator.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
        expected, found = networks.relate(first, second), exported.relate(first, second)
        apart = float(np.abs(found.maps - expected.maps).max() / max(np.abs(expected.maps).max(), TOLERANCE))
        if not apart < MAP_TOLERANCE:
            raise ModelError(
                f"The graphs and the networks give different maps ({apart:.1g} of their range apart), so the graphs "
                "are not to be used. Download or copy the folder again, or export the model again."
            )


def _require_same(encoder: Embedder, exported: Embedder) -> None:
    generator = np.random.default_rng(0)
    for height, width in CHECKED_SIZES:
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = encoder.embed(pixels)
        found = exported.embed(pixels)
        same = found.shape == expected.shape
        apart = float(np.linalg.norm(found - expected) / np.linalg.norm(expected)) if same else math.inf
        if not apart < TOLERANCE:
            raise ModelError(
                f"The graph and the encoder give different features ({apart:.1g} of their norm apart), so the graph is "
                "not to be used. Download or copy the folder again, or export the model again.",
                remedy="score-with-torch-and-report",
            )
