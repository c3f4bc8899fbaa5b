"""Convolutional backbones from torchvision and timm, cut into stages whose feature maps can be read one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torchvision import models
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock, Bottleneck

from shamisa_cli.core.encoder.spec import TIMM_PREFIX, Layer, Preprocessing

IMAGENET_WEIGHTS = "IMAGENET1K_V1"
"""Torchvision's name of the weights that the paper starts from; the newer V2 of resnet50 are a worse start."""


class Backbone(nn.Module, ABC):
    """A network as a chain of stages; its state dict has the library's key names without the classifier.

    Attributes:
        preprocessing: with the normalisation that the library's ImageNet weights were trained with.
        stage_channels: the number of channels of each stage's feature map, first stage first.
        hidden_channels: the same for the hidden maps, which `Layer` explains.
    """

    preprocessing: Preprocessing = Preprocessing()
    stage_channels: tuple[int, ...]
    hidden_channels: tuple[int, ...]

    @abstractmethod
    def stage_modules(self) -> list[nn.Module]:
        """The stages in order; each maps the previous one's output (N, C, H, W) to its own."""

    @abstractmethod
    def read_stage(self, stage: nn.Module, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden map and the output of one stage for the output (N, C, H, W) of the stage before."""

    def channels(self, layer: Layer) -> tuple[int, ...]:
        """Number of channels of each stage's map, read at `layer`."""
        return self.hidden_channels if layer == "hidden" else self.stage_channels

    def stages(self, pixels: Tensor, layer: Layer = "output") -> Iterator[Tensor]:
        """Yield every stage's map (N, C_k, H_k, W_k) for normalised pixels (N, 3, H, W)."""
        feature_map = pixels
        for stage in self.stage_modules():
            hidden, feature_map = self.read_stage(stage, feature_map)
            yield hidden if layer == "hidden" else feature_map

    def chosen_stages(
        self, pixels: Tensor, chosen: Sequence[int], layer: Layer = "output"
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (index, map) of the chosen stages, first stage first; later stages are not computed.

        Negative stages count from the last; indices that are yielded are not negative.
        """
        wanted = {stage % len(self.stage_channels) for stage in chosen}
        last = max(wanted)
        for index, feature_map in enumerate(self.stages(pixels, layer)):
            if index in wanted:
                yield index, feature_map
            if index == last:
                return

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """All feature maps of `stages` at once."""
        return list(self.stages(pixels))


class MobileNetV2(Backbone):
    """MobileNetV2 1.0: 19 stages (stem, 17 inverted residuals, last convolution), 1280 channels at the end."""

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        self.features = models.mobilenet_v2(weights=weights).features
        self.stage_channels = tuple(int(block.out_channels) for block in self.features)
        self.hidden_channels = tuple(
            int(block.conv[-2].in_channels) if isinstance(block, InvertedResidual) else int(block.out_channels)
            for block in self.features
        )

    def stage_modules(self) -> list[nn.Module]:
        return list(self.features)

    def read_stage(self, stage: nn.Module, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        if not isinstance(stage, InvertedResidual):
            output = stage(feature_map)
            return output, output
        hidden = stage.conv[:-2](feature_map)
        output = stage.conv[-2:](hidden)
        return hidden, feature_map + output if stage.use_res_connect else output


class ResNet(Backbone):
    """A residual network: the stem, then each residual block, is a stage (resnet50: 17, 2048 channels)."""

    def __init__(self, architecture: str, weights: str | None = None) -> None:
        super().__init__()
        network = models.get_model(architecture, weights=weights)
        self.conv1, self.bn1, self.relu, self.maxpool = (
            network.conv1,
            network.bn1,
            network.relu,
            network.maxpool,
        )
        self.layer1, self.layer2 = network.layer1, network.layer2
        self.layer3, self.layer4 = network.layer3, network.layer4
        blocks = self._blocks()
        self.stage_channels = (64, *(_out_channels(block) for block in blocks))
        self.hidden_channels = (64, *(_hidden_channels(block) for block in blocks))

    def stage_modules(self) -> list[nn.Module]:
        return [nn.Sequential(self.conv1, self.bn1, self.relu, self.maxpool), *self._blocks()]

    def read_stage(self, stage: nn.Module, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(stage, nn.Sequential):
            output = stage(feature_map)
            return output, output
        assert isinstance(stage, BasicBlock | Bottleneck)
        hidden = _before_last_convolution(stage, feature_map)
        last, norm = (stage.conv3, stage.bn3) if isinstance(stage, Bottleneck) else (stage.conv2, stage.bn2)
        shortcut = feature_map if stage.downsample is None else stage.downsample(feature_map)
        return hidden, stage.relu(norm(last(hidden)) + shortcut)

    def _blocks(self) -> list[nn.Module]:
        return [block for layer in (self.layer1, self.layer2, self.layer3, self.layer4) for block in layer]


def _convolutions(block: nn.Module) -> list[nn.Conv2d]:
    return [module for name, module in block.named_children() if name.startswith("conv")]  # type: ignore[misc]


def _out_channels(block: nn.Module) -> int:
    return _convolutions(block)[-1].out_channels


def _hidden_channels(block: nn.Module) -> int:
    return _convolutions(block)[-1].in_channels


def _before_last_convolution(block: BasicBlock | Bottleneck, feature_map: Tensor) -> Tensor:
    """Input of a residual block's last convolution."""
    feature_map = block.relu(block.bn1(block.conv1(feature_map)))
    if isinstance(block, Bottleneck):
        feature_map = block.relu(block.bn2(block.conv2(feature_map)))
    return feature_map


def build_backbone(architecture: str) -> Backbone:
    """A backbone with its library's random initialisation (from the torch RNG).

    Raises:
        ModelError: timm is not installed, or has no such network.
    """
    return _built(architecture, imagenet=False)


def imagenet_backbone(architecture: str) -> Backbone:
    """A backbone with its library's ImageNet weights, downloaded once into the library's cache.

    Raises:
        OSError, RuntimeError: the download failed.
        ModelError: timm is not installed, or has no such network or no weights of it.
    """
    return _built(architecture, imagenet=True)


def is_timm(architecture: str) -> bool:
    """Whether a backbone is timm's; the others are torchvision's."""
    return architecture.startswith(("efficientnet_lite", TIMM_PREFIX))


def _built(architecture: str, *, imagenet: bool) -> Backbone:
    if is_timm(architecture):
        from shamisa_cli.core.networks.timm_backbones import timm_backbone

        name = architecture.removeprefix(TIMM_PREFIX)
        return timm_backbone(f"tf_{name}" if name == architecture else name, pretrained=imagenet)
    weights = IMAGENET_WEIGHTS if imagenet else None
    return MobileNetV2(weights) if architecture == "mobilenet_v2" else ResNet(architecture, weights)
