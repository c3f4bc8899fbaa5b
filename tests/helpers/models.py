"""Small models of random weights. PyTorch is imported where it computes, so that other tests need not wait for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import linear_scale

if TYPE_CHECKING:
    from shamisa_cli.core.networks.encoder import TorchEncoder

TINY = EncoderConfig("mobilenet_v2", FeatureSpec(scales=(1.0,)), Preprocessing(view_size=64))
"""One scale of a small view."""

FEW_FEATURES = EncoderConfig("mobilenet_v2", FeatureSpec(stages=(0, 1), scales=(1.0,)), Preprocessing(view_size=64))
"""Two stages, so that regressors are fitted at once."""


def random_state(seed: int = 0) -> dict[str, Any]:
    """The weights of a MobileNetV2 by torchvision's key names, drawn from a seed."""
    import torch

    from shamisa_cli.core.networks.backbones import build_backbone

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return dict(build_backbone("mobilenet_v2").state_dict())


def random_encoder(config: EncoderConfig) -> TorchEncoder:
    """An encoder of random weights."""
    from shamisa_cli.core.networks.encoder import TorchEncoder

    return TorchEncoder.create(config, random_state())


def random_probe(length: int, fingerprint: str) -> Probe:
    """A regressor of random weights for features of this length, whose scores fall inside 0…100."""
    return Probe(
        weights=np.random.default_rng(0).normal(0, 0.05, length),
        bias=0.5,
        feature_mean=np.zeros(length),
        feature_scale=np.ones(length),
        scale=linear_scale(1.0, 5.0),
        alpha=1.0,
        encoder_fingerprint=fingerprint,
    )


def save_tiny_model(folder: Path) -> Path:
    """Save a model that scores, with a graph."""
    from shamisa_cli.core.models.folder import save_probe
    from shamisa_cli.core.networks.export.export_model import add_graph
    from shamisa_cli.core.networks.model_folders import save_encoder

    encoder = random_encoder(TINY)
    written = save_encoder(folder, TINY, encoder.state(), name="tiny", card="# A model for tests", origin="random")
    save_probe(folder, random_probe(encoder.feature_length, written.fingerprint))
    add_graph(folder)
    return folder


def save_plain_model(folder: Path, config: EncoderConfig = FEW_FEATURES) -> Path:
    """Save a model without a graph and without a regressor."""
    from shamisa_cli.core.networks.model_folders import save_encoder

    save_encoder(folder, config, random_state(), name=folder.name, card=f"# {folder.name}", origin="test")
    return folder
