"""The exported encoder: ONNX Runtime must give what torch gives, whatever the picture and whatever is read from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from shamisa_cli.core.encoder import onnx_encoder
from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
from shamisa_cli.core.encoder.spec import PAPER_FEATURES, EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.export.encoder_graph import export_graph

SPECS = {
    "as in the paper": EncoderConfig("resnet18", FeatureSpec()),
    "bottlenecks": EncoderConfig("resnet50", FeatureSpec(stages=(0, 3, 4), scales=(1.0,), layer="hidden")),
    "like the model that ships": EncoderConfig(
        "mobilenet_v2", FeatureSpec(stages=tuple(range(19)), moments=("mean", "std"), layer="hidden")
    ),
    "out of order": EncoderConfig(
        "mobilenet_v2",
        FeatureSpec(stages=(-1, 2, 0), moments=("std", "mean"), scales=(0.3, 1.0)),
        Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
    ),
    "the paper's test protocol": EncoderConfig("resnet18", PAPER_FEATURES),
    "five crops": EncoderConfig("resnet18", FeatureSpec(stages=(1,), crops=5, crop_size=64)),
}


def encoders(
    config: EncoderConfig, folder: Path, dtype: torch.dtype = torch.float32
) -> tuple[TorchEncoder, OnnxEncoder]:
    """One encoder twice, with random weights and batch statistics, its filters stored in the given type."""
    torch.manual_seed(3)
    backbone = build_backbone(config.architecture)
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    state = {name: value.to(dtype if value.ndim > 1 else value.dtype) for name, value in backbone.state_dict().items()}
    save_file(state, folder / "encoder.safetensors")
    network = TorchEncoder.create(config, {name: value.float() for name, value in state.items() if value.ndim})
    graph = folder / "encoder.onnx"
    graph.write_bytes(export_graph(network, folder / "encoder.safetensors", "c0ffee"))
    files = (KnownFile.of(graph), KnownFile.of(folder / "encoder.safetensors"))
    return network, OnnxEncoder.load(config, *files, "c0ffee")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize("name", SPECS)
def test_every_way_of_reading_a_picture_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    network, exported = encoders(SPECS[name], tmp_path)
    assert exported.feature_length == network.feature_length
    for size in ((96, 128), (97, 65), (1, 1), (7, 200), (150, 33)):
        pixels = noise(*size)
        found = exported.embed(pixels)
        assert (found.shape, found.dtype) == ((network.feature_length,), np.float32)
        assert apart(exported.embed_crops(pixels), network.embed_crops(pixels)) < 2e-5
        assert apart(found, network.embed(pixels)) < 2e-5


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[TorchEncoder, OnnxEncoder]:
    """An encoder that reads early stages at two scales, in torch and exported."""
    spec = FeatureSpec(stages=(0, 1, 2), moments=("mean", "std"), layer="hidden")
    return encoders(EncoderConfig("mobilenet_v2", spec), tmp_path_factory.mktemp("pair"))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 130), width=st.integers(3, 130), grey=st.integers(0, 255), amplitude=st.integers(0, 255))
def test_any_size_odd_or_tiny_flat_or_busy(
    pair: tuple[TorchEncoder, OnnxEncoder], height: int, width: int, grey: int, amplitude: int
) -> None:
    # From 3 pixels of width: torch's antialiased reduction to a width of 1 differs from that of the turned picture.
    network, exported = pair
    pixels = np.clip(grey + noise(height, width).astype(int) % (amplitude + 1), 0, 255).astype(np.uint8)
    assert apart(exported.embed(pixels), network.embed(pixels)) < 1e-4


def test_filters_stored_in_half_precision_are_the_same_to_both(tmp_path: Path) -> None:
    network, exported = encoders(SPECS["like the model that ships"], tmp_path, torch.float16)
    assert apart(exported.embed(noise(64, 80)), network.embed(noise(64, 80))) < 2e-5


def test_pictures_that_overlap_in_time_do_not_mix(pair: tuple[TorchEncoder, OnnxEncoder]) -> None:
    _, exported = pair
    pictures = [noise(40 + seed, 90 - seed, seed) for seed in range(24)]
    alone = [exported.embed(pixels) for pixels in pictures]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(exported.embed, pictures))
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


def test_a_picture_that_has_the_machine_to_itself_gives_the_same(
    pair: tuple[TorchEncoder, OnnxEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, exported = pair
    monkeypatch.setattr(onnx_encoder, "LARGE", 1000)
    assert apart(exported.embed(noise(120, 90)), network.embed(noise(120, 90))) < 2e-5


def test_pixels_that_are_a_view_of_others_are_read_as_they_stand(pair: tuple[TorchEncoder, OnnxEncoder]) -> None:
    _, exported = pair
    turned = noise(60, 90)[::-1, ::2]
    assert (exported.embed(turned) == exported.embed(turned.copy())).all()


def test_the_graph_holds_no_weights_of_its_own(tmp_path: Path) -> None:
    encoders(SPECS["as in the paper"], tmp_path)
    graph, weights = (tmp_path / name for name in ("encoder.onnx", "encoder.safetensors"))
    assert graph.stat().st_size < weights.stat().st_size / 100


def test_a_graph_of_another_encoder_is_refused(tmp_path: Path) -> None:
    _, exported = encoders(SPECS["as in the paper"], tmp_path)
    with pytest.raises(ModelError, match=r"made from a different encoder.*shamisa models export"):
        OnnxEncoder.load(exported.config, exported.graph, exported.weights, "another")


def test_a_graph_that_does_not_give_the_crops_that_are_read_is_refused(tmp_path: Path) -> None:
    _, exported = encoders(SPECS["as in the paper"], tmp_path)
    with pytest.raises(ModelError, match=r"shamisa models export"):
        OnnxEncoder.load(SPECS["five crops"], exported.graph, exported.weights, "c0ffee")


@pytest.mark.parametrize(
    "architecture", ["mobilenet_v2", "resnet18", "resnet50", "efficientnet_lite2", "timm:resnet18"]
)
def test_every_backbone_can_be_exported(architecture: str, tmp_path: Path) -> None:
    network, exported = encoders(EncoderConfig(architecture, FeatureSpec(scales=(1.0,))), tmp_path)
    for picture in (noise(64, 64), noise(32, 32), noise(33, 47)):
        assert apart(exported.embed(picture), network.embed(picture)) < 2e-5
