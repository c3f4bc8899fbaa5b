"""Convolutional backbones from torchvision, cut into stages whose feature maps can be read one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torchvision import models

from shamisa_cli.core.encoder.spec import Architecture


class Backbone(nn.Module, ABC):
    """A network as a chain of stages; its state dict has torchvision's key names without the classifier.

    Attributes:
        stage_channels: the number of channels of each stage's feature map, first stage first.
    """

    stage_channels: tuple[int, ...]

    @abstractmethod
    def stage_modules(self) -> list[nn.Module]:
        """The stages in order; each maps the previous one's output (N, C, H, W) to its own."""

    def stages(self, pixels: Tensor) -> Iterator[Tensor]:
        """Yield every stage's feature map (N, C_k, H_k, W_k) for normalised pixels (N, 3, H, W)."""
        feature_map = pixels
        for stage in self.stage_modules():
            feature_map = stage(feature_map)
            yield feature_map

    def chosen_stages(self, pixels: Tensor, chosen: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
        """Yield (index, feature map) of the chosen stages, first stage first; what lies beyond them is not computed.

        Negative stages count from the last; indices that are yielded are not negative.
        """
        wanted = {stage % len(self.stage_channels) for stage in chosen}
        last = max(wanted)
        for index, feature_map in enumerate(self.stages(pixels)):
            if index in wanted:
                yield index, feature_map
            if index == last:
                return

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """All feature maps of `stages` at once."""
        return list(self.stages(pixels))


class MobileNetV2(Backbone):
    """MobileNetV2 1.0: 19 stages (stem, 17 inverted residuals, last convolution), 1280 channels at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.features = models.mobilenet_v2(weights=None).features
        self.stage_channels = tuple(int(block.out_channels) for block in self.features)

    def stage_modules(self) -> list[nn.Module]:
        return list(self.features)


class ResNet(Backbone):
    """A residual network: the stem, then each residual block, is a stage (resnet50: 17, 2048 channels)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        network = models.get_model(architecture, weights=None)
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

    def stage_modules(self) -> list[nn.Module]:
        return [nn.Sequential(self.conv1, self.bn1, self.relu, self.maxpool), *self._blocks()]

    def _blocks(self) -> list[nn.Module]:
        return [block for layer in (self.layer1, self.layer2, self.layer3, self.layer4) for block in layer]


def _out_channels(block: nn.Module) -> int:
    convolutions = [module for name, module in block.named_children() if name.startswith("conv")]
    last = convolutions[-1]
    assert isinstance(last, nn.Conv2d)
    return last.out_channels


def build_backbone(architecture: Architecture) -> Backbone:
    """A backbone with torchvision's random initialisation (from the torch RNG)."""
    return MobileNetV2() if architecture == "mobilenet_v2" else ResNet(architecture)
