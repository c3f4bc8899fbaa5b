"""Convolutional networks of timm as backbones, with timm's key names."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from timm.models._efficientnet_blocks import ConvBnAct, DepthwiseSeparableConv, EdgeResidual, InvertedResidual
from torch import Tensor, nn

from shamisa_cli.core.encoder.spec import Preprocessing
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.networks.backbones import Backbone
from shamisa_cli.core.networks.layers import NormAct, PaddedConv2d

SEQUENTIAL_BLOCKS = (DepthwiseSeparableConv, InvertedResidual, EdgeResidual, ConvBnAct)
"""Blocks whose layers are called in the order they are registered, with one shortcut."""


class TimmEfficientNet(Backbone):
    """An EfficientNet: stem, every block and the last convolution are stages (lite2: 23, 1280 channels at the end)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.conv_stem, self.bn1, self.blocks = network.conv_stem, network.bn1, network.blocks
        self.conv_head, self.bn2 = network.conv_head, network.bn2
        _replace_layers(self)
        last = [_last_convolution(block) for block in self._blocks()]
        stem, head = network.conv_stem.out_channels, network.conv_head.out_channels
        self.stage_channels = (stem, *(convolution.out_channels for convolution in last), head)
        self.hidden_channels = (stem, *(convolution.in_channels for convolution in last), head)

    def stage_modules(self) -> list[nn.Module]:
        head = nn.Sequential(self.conv_head, self.bn2)
        return [nn.Sequential(self.conv_stem, self.bn1), *self._blocks(), head]

    def read_stage(self, stage: nn.Module, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(stage, nn.Sequential):
            output = stage(feature_map)
            return output, output
        layers = [layer for layer in stage.children() if not isinstance(layer, nn.Identity)]
        place = layers.index(_last_convolution(stage))
        hidden = nn.Sequential(*layers[:place])(feature_map)
        output = nn.Sequential(*layers[place:])(hidden)
        return hidden, feature_map + output if stage.has_skip else output

    def _blocks(self) -> list[nn.Module]:
        return [block for group in self.blocks.children() for block in group.children()]


class TimmStages(Backbone):
    """A network as the chain of stages whose maps timm lists; each stage has one map.

    Args:
        network: module that holds the layers, by timm's names.
        stages: the names of each stage's parts, in the order they are called.
    """

    def __init__(self, network: nn.Module, stages: list[list[str]]) -> None:
        super().__init__()
        for name in dict.fromkeys(part.split(".")[0] for stage in stages for part in stage):
            self.add_module(name, getattr(network, name))
        _replace_layers(self)
        self._parts = stages
        self.stage_channels = self.hidden_channels = self._measured_channels()

    def stage_modules(self) -> list[nn.Module]:
        return [nn.Sequential(*(self.get_submodule(name) for name in parts)) for parts in self._parts]

    def read_stage(self, stage: nn.Module, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        output = stage(feature_map)
        return output, output

    @torch.no_grad()
    def _measured_channels(self) -> tuple[int, ...]:
        training = self.training
        pixels = torch.zeros(1, 3, 64, 64, device=next(self.parameters()).device)
        channels = tuple(feature_map.shape[1] for feature_map in self.eval().stages(pixels))
        self.train(training)
        return channels


def timm_backbone(name: str, *, pretrained: bool) -> Backbone:
    """Build the network of this name in timm.

    Args:
        name: timm's name, optionally with the tag of its weights, as "tf_efficientnet_lite2.in1k".
        pretrained: with timm's weights, downloaded once, instead of random ones.

    Raises:
        ModelError: timm has no such network, or it offers no list of feature maps.
    """
    if not timm.is_model(name):
        raise ModelError(f"timm has no network {name!r}; timm.list_models() lists those it has.")
    network: Any = timm.create_model(name, pretrained=pretrained)
    backbone = _chain(network, name, pretrained=pretrained)
    mean, std = (tuple(network.default_cfg[key]) for key in ("mean", "std"))
    backbone.preprocessing = Preprocessing(mean=mean, std=std)
    return backbone


def _chain(network: Any, name: str, *, pretrained: bool) -> Backbone:
    if all(hasattr(network, part) for part in ("conv_stem", "bn1", "blocks")):
        blocks = [block for group in network.blocks for block in group]
        if hasattr(network, "bn2") and all(map(_is_sequential, blocks)):
            return TimmEfficientNet(network)
        return TimmStages(network, [["conv_stem", "bn1"], *([f"blocks.{i}"] for i in range(len(network.blocks)))])
    return _feature_list(name, pretrained=pretrained)


def _feature_list(name: str, *, pretrained: bool) -> Backbone:
    problem = "is not a convolutional network with a list of feature maps; name one that is, such as timm:resnet18"
    try:
        network: Any = timm.create_model(name, pretrained=pretrained, features_only=True, feature_cls="list")
        names = [part for part, _ in network.named_children()]
        ends = [names.index(end) + 1 for end in network.return_layers]
        return TimmStages(network, [names[a:b] for a, b in pairwise([0, *ends])])
    except (RuntimeError, AttributeError, AssertionError, TypeError, ValueError, KeyError) as error:
        raise ModelError(f"timm's {name} {problem} ({error}).") from error


def _is_sequential(block: nn.Module) -> bool:
    convolutions = [module for name, module in block.named_children() if name.startswith("conv")]
    return type(block) in SEQUENTIAL_BLOCKS and all(isinstance(module, nn.Conv2d) for module in convolutions)


def _last_convolution(block: nn.Module) -> nn.Conv2d:
    """The convolution that makes a block's output: pointwise in a depthwise block, linear in an inverted residual."""
    return [module for module in block.children() if isinstance(module, nn.Conv2d)][-1]


def _replace_layers(module: nn.Module) -> None:
    """Replace timm's layers by ours, which every runtime supports."""
    for name, child in module.named_children():
        if isinstance(child, Conv2dSame):
            setattr(module, name, PaddedConv2d.like(child))
        elif isinstance(child, BatchNormAct2d):
            setattr(module, name, NormAct.like(child))
        else:
            _replace_layers(child)
