"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from loopback_hub import LoopbackHub, serving

from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.models.folder import save_probe
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.export.export_model import add_graph
from shamisa_cli.core.networks.model_folders import save_encoder
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import linear_scale

os.environ["SHAMISA_CACHE"] = "0"
"""No test finds, or leaves, anything in the cache of whoever runs it; those of the cache have one of their own."""

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def example_photos() -> Path:
    """The folder of example photographs that comes with the project."""
    return REPOSITORY / "examples" / "photos"


@pytest.fixture(scope="session")
def development_data() -> Path:
    """Data sets that lie beside a developer's checkout; a newcomer has none, and the test is skipped."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def relational_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A relational model with random weights everywhere, whose scores are neither 0 nor at the ends."""
    import torch

    from shamisa_cli.core.networks.model_folders import save_networks
    from shamisa_cli.core.networks.scoring_network import RelationalModel
    from shamisa_cli.core.relational.shape import RelationalConfig

    folder = tmp_path_factory.mktemp("relational") / "pairs"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = RelationalModel(RelationalConfig())
        for parameter in model.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
    save_networks(folder, model.config, model.state_dict(), name="pairs", card="# For tests\n", origin="random")
    return folder


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    """An empty Hub that listens on loopback while the module's tests run."""
    with serving() as state:
        yield state


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: MobileNetV2 with seeded random weights, a graph and a random probe."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    torch.manual_seed(0)
    config = EncoderConfig("mobilenet_v2", FeatureSpec(scales=(1.0,)), Preprocessing(view_size=64))
    encoder = TorchEncoder.create(config, build_backbone("mobilenet_v2").state_dict())
    written = save_encoder(folder, config, encoder.state(), name="tiny", card="# A model for tests", origin="random")
    length = encoder.feature_length
    probe = Probe(
        weights=np.random.default_rng(0).normal(0, 0.05, length),
        bias=0.5,
        feature_mean=np.zeros(length),
        feature_scale=np.ones(length),
        scale=linear_scale(1.0, 5.0),
        alpha=1.0,
        encoder_fingerprint=written.fingerprint,
    )
    save_probe(folder, probe)
    add_graph(folder)
    return folder
