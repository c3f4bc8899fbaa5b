"""Networks of timm as backbones: what they compute is what timm computes, in every runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from shamisa_cli.core.encoder.spec import ARCHITECTURES, EncoderConfig, is_architecture
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.networks.layers import PaddedConv2d


def same_weights(name: str, backbone: nn.Module) -> nn.Module:
    """Timm's own network with the backbone's weights."""
    network = timm.create_model(name, num_classes=0, global_pool="")
    network.load_state_dict(backbone.state_dict(), strict=False)
    return network.eval()


@pytest.mark.parametrize("size", [(64, 96), (128, 128)])
def test_a_lite_network_gives_timms_own_maps_for_even_sizes(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    backbone = build_backbone("efficientnet_lite0").eval()
    pixels = torch.rand(1, 3, *size)

    with torch.inference_mode():
        expected = same_weights("tf_efficientnet_lite0", backbone)(pixels)
        torch.testing.assert_close(backbone(pixels)[-1], expected)


def test_lite2_has_a_stage_for_stem_every_block_and_head() -> None:
    backbone = build_backbone("efficientnet_lite2").eval()
    with torch.inference_mode():
        outputs = backbone(torch.rand(1, 3, 64, 64))
        hidden = list(backbone.stages(torch.rand(1, 3, 64, 64), "hidden"))

    assert len(outputs) == 23
    assert tuple(each.shape[1] for each in outputs) == backbone.stage_channels
    assert tuple(each.shape[1] for each in hidden) == backbone.hidden_channels
    assert all((each >= 0).all() and (each <= 6).all() for each in hidden), "they lie behind a ReLU6"
    assert backbone.preprocessing.mean == backbone.preprocessing.std == (0.5, 0.5, 0.5)


def test_padding_begins_behind_the_picture_where_the_stride_is_two() -> None:
    layer = PaddedConv2d.like(nn.Conv2d(1, 1, 3, stride=2, bias=False))
    nn.init.ones_(layer.weight)

    assert layer.sides == (0, 2)
    assert layer(torch.ones(1, 1, 4, 4)).tolist() == [[[[9.0, 6.0], [6.0, 4.0]]]]


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "mobilenetv3_small_050", "mixnet_s"])
def test_any_convolutional_network_of_timm_can_be_named(name: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(f"timm:{name}").eval()
    pixels = torch.rand(1, 3, 64, 64)

    with torch.inference_mode():
        maps = backbone(pixels)

    assert tuple(each.shape[1] for each in maps) == backbone.stage_channels
    assert len(maps) >= 4


def test_the_listed_maps_are_timms_own() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("timm:resnet18").eval()
    network = timm.create_model("resnet18", features_only=True).eval()
    network.load_state_dict(backbone.state_dict())
    pixels = torch.rand(1, 3, 64, 64)

    with torch.inference_mode():
        for ours, theirs in zip(backbone(pixels), network(pixels), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "words"),
    [("timm:vit_tiny_patch16_224", "not a convolutional network"), ("timm:resnet1", "no network 'resnet1'")],
)
def test_other_names_are_refused_in_a_sentence(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        build_backbone(name)


def test_names_are_checked_by_form_before_timm_is_asked() -> None:
    assert all(map(is_architecture, (*ARCHITECTURES, "timm:resnet18", "timm:tf_efficientnet_lite2.in1k")))
    for name in ("vgg", "timm:", "timm:../x", "timm:a b", 3, None):
        assert not is_architecture(name)
    with pytest.raises(ModelError, match=r"known are mobilenet_v2, .* and timm:NAME"):
        EncoderConfig("vgg")


def test_a_file_with_timms_key_names_is_a_start_and_its_classifier_is_left_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0")
    save_file(network.state_dict(), tmp_path / "start.safetensors")

    state = initial_state("efficientnet_lite0", str(tmp_path / "start.safetensors"))

    assert torch.equal(state["conv_head.weight"], network.state_dict()["conv_head.weight"])
    assert not any(name.startswith("classifier") for name in state)


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (33, 47), (32, 300)])
def test_the_smallest_and_odd_pictures_pass_with_as_many_places_as_timm_has(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    backbone = build_backbone("efficientnet_lite0").eval()
    pixels = torch.rand(1, 3, *size)

    with torch.inference_mode():
        assert backbone(pixels)[-1].shape == same_weights("tf_efficientnet_lite0", backbone)(pixels).shape
