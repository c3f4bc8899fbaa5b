"""A small model made on the spot, and pictures for it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers.models import TINY, random_encoder, random_probe, random_state
from helpers.pictures import save_noise
from helpers.program import run_code_here

from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import linear_scale
from shamisa_cli.core.records import ModelIdentity

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder

CONFIG = EncoderConfig("mobilenet_v2", FeatureSpec(stages=(1, -1), moments=("mean", "std"), scales=(1.0,)))

FEATURES = 2 * (16 + 1280)

RunPython = Callable[..., Any]


@pytest.fixture(scope="session")
def torch_model() -> Model:
    """MobileNetV2 with seeded random weights, and a random probe whose scores fall inside 0…100."""
    encoder = random_encoder(TINY)
    return Model(ModelIdentity("tiny", "0123456789ab"), encoder, random_probe(encoder.feature_length, "tiny"), "tiny")


@pytest.fixture(scope="session")
def model(torch_model: Model) -> Model:
    """The model that tests score with, unless they have one of their own."""
    return torch_model


@pytest.fixture(scope="session")
def exported(torch_model: Model, tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    """The encoder of `torch_model` through ONNX Runtime."""
    from safetensors.torch import save_file

    from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
    from shamisa_cli.core.known_files import KnownFile
    from shamisa_cli.core.networks.export.encoder_graph import export_graph
    from shamisa_cli.core.networks.model_folders import network_of

    folder = tmp_path_factory.mktemp("exported")
    weights, graph = folder / "encoder.safetensors", folder / "encoder.onnx"
    save_file(network_of(torch_model).state(), weights)
    graph.write_bytes(export_graph(network_of(torch_model), weights, "tiny"))
    return OnnxEncoder.load(torch_model.encoder.config, KnownFile.of(graph), KnownFile.of(weights), "tiny")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Nine readable pictures of different content and size."""
    return save_noise(tmp_path / "photos", [(120, 80 + 7 * number) for number in range(9)])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file that is called a picture and is none."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"this is no picture")
    return path


@pytest.fixture(scope="session")
def encoder_state() -> dict[str, Any]:
    """Random weights of a MobileNetV2 by torchvision's key names."""
    return random_state(seed=5)


@pytest.fixture(scope="session")
def saved_model(encoder_state: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder; read-only by convention, see `model_folder`."""
    from shamisa_cli.core.networks.model_folders import save_encoder

    folder = tmp_path_factory.mktemp("saved") / "model"
    save_encoder(
        folder,
        CONFIG,
        encoder_state,
        name="tiny",
        card="# tiny\n",
        origin="Random numbers.",
        license="Apache-2.0",
    )
    return folder


@pytest.fixture
def model_folder(saved_model: Path, tmp_path: Path) -> Path:
    """A model folder of the test's own."""
    return Path(shutil.copytree(saved_model, tmp_path / "model"))


@pytest.fixture(scope="session")
def probe(saved_model: Path) -> Probe:
    """A probe for the encoder in `saved_model`."""
    rng = np.random.default_rng(11)
    return Probe(
        weights=rng.normal(size=FEATURES),
        bias=0.1 + 0.2,
        feature_mean=rng.normal(size=FEATURES),
        feature_scale=rng.uniform(0.5, 2, size=FEATURES),
        scale=linear_scale(5.0, 1.0),
        alpha=1e-3,
        encoder_fingerprint=ModelFolder.open(saved_model, EncoderConfig).fingerprint,
    )


@pytest.fixture
def foreign_probe(probe: Probe) -> Probe:
    """A probe that was fitted on some other encoder."""
    return replace(probe, encoder_fingerprint="c0ffee" + "0" * 58)


@pytest.fixture
def edit_json() -> Callable[..., None]:
    """Change entries of a JSON file in place; ... removes one."""

    def edit(path: Path, **changes: Any) -> None:
        entries = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in entries.items() if value is not ...}))

    return edit


@pytest.fixture(scope="module")
def run_python() -> RunPython:
    """Run Python code with JSON arguments and more variables, the Hub's client anew, and read the JSON it prints."""

    def run(code: str, arguments: Any = None, **environment: str) -> Any:
        kept = {key: value for key, value in os.environ.items() if not key.upper().startswith("HTTP")}
        done = run_code_here(code, json.dumps(arguments), env=kept | environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
