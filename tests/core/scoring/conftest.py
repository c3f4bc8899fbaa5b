"""A small model made on the spot, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from safetensors.torch import save_file

from shamisa_cli.core.encoder.backbones import build_backbone
from shamisa_cli.core.encoder.encoder import Encoder
from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
from shamisa_cli.core.encoder.onnx_export import export_graph
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import linear_scale


@pytest.fixture(scope="session")
def torch_model() -> Model:
    """MobileNetV2 with seeded random weights, and a random probe whose scores fall inside 0…100."""
    torch.manual_seed(0)
    config = EncoderConfig("mobilenet_v2", FeatureSpec(scales=(1.0,)), Preprocessing(view_size=64))
    encoder = Encoder.create(config, build_backbone("mobilenet_v2").state_dict())
    length = encoder.feature_length
    weights = np.random.default_rng(0).normal(0, 0.05, length)
    probe = Probe(
        weights=weights,
        bias=0.5,
        feature_mean=np.zeros(length),
        feature_scale=np.ones(length),
        scale=linear_scale(1.0, 5.0),
        alpha=1.0,
        encoder_fingerprint="tiny",
    )
    return Model("tiny", "0123456789ab", encoder, probe, "tiny")


@pytest.fixture(scope="session")
def model(torch_model: Model) -> Model:
    """The model that tests score with, unless they have one of their own."""
    return torch_model


@pytest.fixture(scope="session")
def exported(torch_model: Model, tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    """The encoder of `torch_model` through ONNX Runtime."""
    folder = tmp_path_factory.mktemp("exported")
    weights, graph = folder / "encoder.safetensors", folder / "encoder.onnx"
    save_file(torch_model.network.state(), weights)
    graph.write_bytes(export_graph(torch_model.network, weights, "tiny"))
    return OnnxEncoder.load(torch_model.encoder.config, graph, weights, "tiny")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Nine readable pictures of different content and size."""
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = []
    for number in range(9):
        noise = np.random.default_rng(number).integers(0, 256, (80 + 7 * number, 120, 3), dtype=np.uint8)
        path = folder / f"{number}.jpg"
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(number)).save(path, quality=95)
        paths.append(path)
    return paths


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file that is called a picture and is none."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"this is no picture")
    return path
