"""Pictures that are too small for a network: one error each, in every runtime, and the others are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from shamisa_cli.core.encoder.embedder import Embedder, embedded
from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec
from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.networks import encoder
from shamisa_cli.core.networks.backbones import Backbone, build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.export.encoder_graph import export_graph
from shamisa_cli.core.scoring.pipeline import embed_files


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Embedder]:
    """A lite network, which reads at full and half size, in both runtimes."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("lite")
    weights = folder / "encoder.safetensors"
    network = TorchEncoder.create(
        EncoderConfig("efficientnet_lite0"), build_backbone("efficientnet_lite0").state_dict()
    )
    save_file(network.state(), weights)
    (folder / "encoder.onnx").write_bytes(export_graph(network, weights, "lite"))
    graph = KnownFile.of(folder / "encoder.onnx")
    return {"torch": network, "onnx": OnnxEncoder.load(network.config, graph, KnownFile.of(weights), "lite")}


def test_a_picture_too_small_for_the_network_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    for side in (8, 64):
        noise = np.random.default_rng(side).integers(0, 256, (side, side + 1, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{side}.png")
    config = EncoderConfig("timm:convnext_atto")
    network = TorchEncoder.create(config, build_backbone(config.architecture).state_dict())

    small, large = embed_files(network, [tmp_path / "8.png", tmp_path / "64.png"], jobs=1)

    assert small.error is not None
    assert small.error.kind == "unsupported"
    assert "9 × 8 pixels, too small for the network timm:convnext_atto" in str(small.error)
    assert "from 64 pixels on" in str(small.error)
    assert large.features is not None


def test_the_smallest_pictures_give_the_same_in_both_runtimes(encoders: dict[str, Embedder]) -> None:
    for size in ((8, 9), (64, 64), (65, 67), (127, 64)):
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        torch_features, onnx_features = (embedded(encoders[name], "x", pixels) for name in ("torch", "onnx"))
        np.testing.assert_allclose(torch_features, onnx_features, atol=1e-5)


def test_an_error_with_a_picture_of_usual_size_is_not_put_down_to_its_size(encoders: dict[str, Embedder]) -> None:
    with pytest.raises(RuntimeError):
        embedded(encoders["torch"], "x", np.zeros((80, 80, 5), np.uint8))
    with pytest.raises(ImageError):
        embedded(encoders["torch"], "x", np.zeros((8, 8, 5), np.uint8))


@pytest.mark.parametrize(
    ("name", "words"), [("mobilenetv3_small_050", "Hardswish"), ("convnext_atto", "LayerNorm"), ("mixnet_s", "")]
)
def test_a_network_with_other_layers_than_a_graph_can_have_says_which(name: str, words: str, tmp_path: Path) -> None:
    config = EncoderConfig(f"timm:{name}", FeatureSpec(scales=(1.0,)))
    network = TorchEncoder.create(config, build_backbone(config.architecture).state_dict())
    save_file(network.state(), tmp_path / "encoder.safetensors")

    with pytest.raises(SettingError, match=f"cannot be exported: .*{words}"):
        export_graph(network, tmp_path / "encoder.safetensors", "x")


def test_a_network_that_computes_as_it_is_built_is_loaded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = build_backbone("mobilenet_v2").state_dict()

    def computing(architecture: str) -> Backbone:
        torch.linspace(0, 1, 3).tolist()  # impossible without memory
        return build_backbone(architecture)

    monkeypatch.setattr(encoder, "build_backbone", computing)
    state = torch.get_rng_state()
    network = TorchEncoder.create(EncoderConfig("mobilenet_v2", FeatureSpec()), weights)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(network.state()[name], value) for name, value in weights.items())


def test_a_network_of_timm_with_layers_that_are_known_gives_the_same_as_a_graph(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = EncoderConfig("timm:regnetx_002", FeatureSpec(scales=(1.0, 0.5)))
    network = TorchEncoder.create(config, build_backbone(config.architecture).state_dict())
    weights = tmp_path / "encoder.safetensors"
    save_file(network.state(), weights)
    (tmp_path / "encoder.onnx").write_bytes(export_graph(network, weights, "x"))
    exported = OnnxEncoder.load(config, KnownFile.of(tmp_path / "encoder.onnx"), KnownFile.of(weights), "x")

    pixels = np.random.default_rng(0).integers(0, 256, (97, 130, 3), dtype=np.uint8)
    np.testing.assert_allclose(network.embed(pixels), exported.embed(pixels), atol=1e-5)
