"""Maps read from a backbone's stages, compared with torchvision's own forward pass."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from shamisa_cli.core.networks.backbones import Backbone, build_backbone

ARCHITECTURES: tuple[str, ...] = ("mobilenet_v2", "resnet18", "resnet50")


def backbone_of(architecture: str) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(architecture).eval()


def input_of_last_convolution(stage: nn.Module, feature_map: Tensor) -> Tensor:
    """Input of the stage's last main-path convolution, by a hook."""
    convolutions = [
        module for name, module in stage.named_modules() if isinstance(module, nn.Conv2d) and "downsample" not in name
    ]
    seen: list[Tensor] = []
    handle = convolutions[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    stage(feature_map)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stages_hand_on_what_torchvision_computes(architecture: str) -> None:
    backbone = backbone_of(architecture)
    expected = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        maps = backbone(expected)
        for stage, feature_map in zip(backbone.stage_modules(), maps, strict=True):
            expected = stage(expected)
            torch.testing.assert_close(feature_map, expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hidden_maps_are_what_a_blocks_last_convolution_gets(architecture: str) -> None:
    backbone = backbone_of(architecture)
    pixels = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        outputs = backbone(pixels)
        hidden = list(backbone.stages(pixels, "hidden"))
        for index in range(1, len(outputs) - (architecture == "mobilenet_v2")):
            expected = input_of_last_convolution(backbone.stage_modules()[index], outputs[index - 1])
            torch.testing.assert_close(hidden[index], expected)
    assert tuple(len(feature_map[0]) for feature_map in hidden) == backbone.channels("hidden")
    assert all((feature_map >= 0).all() for feature_map in hidden), "they lie behind a rectifier"


def test_stages_of_one_convolution_have_one_map() -> None:
    backbone = backbone_of("mobilenet_v2")
    pixels = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        outputs, hidden = backbone(pixels), list(backbone.stages(pixels, "hidden"))
    assert torch.equal(outputs[0], hidden[0])
    assert torch.equal(outputs[-1], hidden[-1])
