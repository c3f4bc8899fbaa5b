"""The relational networks: signed maps of what changed, and one signed score, both odd by construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shamisa_cli.core.distortions.operator import GROUPS
from shamisa_cli.core.encoder.backbones import build_backbone
from shamisa_cli.core.encoder.features import normalised
from shamisa_cli.core.encoder.spec import Architecture, Preprocessing
from shamisa_cli.core.relational.triplets import AXES, STRIDE

MAPS: tuple[str, ...] = (*GROUPS, *AXES, "overall")
"""The signed maps in order: seven groups (positive: the second picture is more distorted), four axes
(positive: sharper, brighter, more contrast, more colour) and the overall change (positive: worse)."""

SQUARED_FLOOR = 1e-6
"""Added under square roots, where the gradient would be infinite."""


@dataclass(frozen=True)
class RelationalConfig:
    """The shape of the networks.

    Attributes:
        architecture: of the trunk.
        stages: the trunk's stages that are read; at least one has maps of an eighth of the picture.
        width: channels of the head.
        hidden: channels of the scoring network.
    """

    architecture: Architecture = "mobilenet_v2"
    stages: tuple[int, ...] = (0, 1, 3, 6, 10)
    width: int = 96
    hidden: int = 24


class Trunk(nn.Module):
    """One picture's feature maps, the same for both sides of a pair.

    Args:
        config: which backbone, and which of its stages.
    """

    def __init__(self, config: RelationalConfig) -> None:
        super().__init__()
        self.backbone = build_backbone(config.architecture)
        del self.backbone.features[max(config.stages) + 1 :]
        self.stages = config.stages
        self.channels = tuple(self.backbone.stage_channels[stage] for stage in config.stages)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """sRGB (N, 3, H, W) in 0…1, sides multiples of 8 → the maps (N, C_k, H_k, W_k) of the chosen stages."""
        pixels = normalised(pictures, Preprocessing()).contiguous(memory_format=torch.channels_last)
        return [feature_map for _, feature_map in self.backbone.chosen_stages(pixels, self.stages)]


class Head(nn.Module):
    """f(a, b): features of a pair to maps. Not odd by itself.

    Args:
        channels: of the trunk's stages.
        width: channels inside.
    """

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        total = sum(channels)
        self.enter = nn.Conv2d(5 * total, width, 1)
        self.blocks = nn.ModuleList([_block(width) for _ in range(2)])
        self.leave = nn.Conv2d(width, len(MAPS), 1)

    def forward(self, pair: Tensor) -> Tensor:
        """(N, 5·ΣC, h, w) → (N, 12, h, w)."""
        x = F.relu(self.enter(pair))
        for block in self.blocks:
            x = x + block(x)
        return self.leave(x)  # type: ignore[no-any-return]


def _block(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2, groups=width),
        nn.Conv2d(width, 2 * width, 1),
        nn.ReLU(),
        nn.Conv2d(2 * width, width, 1),
    )


class DistortionNetwork(nn.Module):
    """D(a, b) = f(a, b) − f(b, a): twelve signed maps at an eighth of the resolution (method-relational).

    Swapping the pictures flips every sign exactly, and a picture against itself gives zeros exactly,
    whatever the weights are.
    """

    def __init__(self, config: RelationalConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        self.head = Head(self.trunk.channels, config.width)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two batches of pictures (N, 3, H, W), sRGB 0…1 → maps (N, 12, H/8, W/8)."""
        return self.relate(self.trunk(a), self.trunk(b))

    def relate(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """The maps from the trunk's features of both sides."""
        size = _grid_size(a[0], self.trunk.stages[0])
        moments_a, moments_b = _moments(a, size), _moments(b, size)
        change = _change(a, b, size)
        return self.head(torch.cat([moments_a, moments_b, change], dim=1)) - self.head(
            torch.cat([moments_b, moments_a, change], dim=1)
        )


def _grid_size(first: Tensor, stage: int) -> tuple[int, int]:
    assert stage == 0, "the first stage is read, at half of the resolution"
    return first.shape[2] * 2 // STRIDE, first.shape[3] * 2 // STRIDE


def _on_grid(feature_map: Tensor, size: tuple[int, int]) -> Tensor:
    """Finer maps averaged, coarser ones interpolated, to h × w."""
    if feature_map.shape[2] >= size[0]:
        factor = feature_map.shape[2] // size[0]
        return F.avg_pool2d(feature_map, factor) if factor > 1 else feature_map
    return F.interpolate(feature_map, size=size, mode="bilinear", align_corners=False)


def _moments(stages: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Local mean and standard deviation of every channel, (N, 2·ΣC, h, w): they forgive a shift of a pixel."""
    parts = []
    for feature_map in stages:
        mean = _on_grid(feature_map, size)
        parts.append(mean)
        spread = (_on_grid(feature_map * feature_map, size) - mean * mean).clamp_min(0)
        parts.append((spread + SQUARED_FLOOR).sqrt())
    return torch.cat(parts, dim=1)


def _change(a: list[Tensor], b: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Local root mean square of the difference, (N, ΣC, h, w); the same whichever picture comes first."""
    squares = [_on_grid((left - right) ** 2, size) for left, right in zip(a, b, strict=True)]
    return (torch.cat(squares, dim=1) + SQUARED_FLOOR).sqrt()


class ScoringNetwork(nn.Module):
    """S(D): maps → one signed number, negative where the second picture is worse; S(−D) = −S(D) exactly.

    Without biases and with odd activations only, so that it is odd by construction.
    """

    def __init__(self, config: RelationalConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(3 * len(MAPS), config.hidden, bias=False)
        self.out = nn.Linear(config.hidden, 1, bias=False)
        self.direct = nn.Linear(3 * len(MAPS), 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, 12, h, w) → (N,)."""
        pooled = odd_pooling(maps)
        return (self.direct(pooled) + self.out(torch.tanh(self.hidden(pooled))))[:, 0]


def odd_pooling(maps: Tensor) -> Tensor:
    """(N, K, h, w) → (N, 3·K): mean, and signed root mean of second and fourth power, which weigh the worst places."""
    roots = [
        torch.sign(power) * (power.abs() + SQUARED_FLOOR).pow(1 / degree) - torch.sign(power) * SQUARED_FLOOR ** (1 / degree)
        for degree in (2, 4)
        for power in ((torch.sign(maps) * maps.abs().pow(degree)).mean(dim=(2, 3)),)
    ]
    return torch.cat([maps.mean(dim=(2, 3)), *roots], dim=1)


class RelationalModel(nn.Module):
    """Both networks of one model.

    Args:
        config: their shape.
        weights: a backbone's state with torchvision's key names to start the trunk from; None keeps random weights.
    """

    def __init__(self, config: RelationalConfig, weights: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self.config = config
        self.distortion = DistortionNetwork(config)
        self.scoring = ScoringNetwork(config)
        if weights is not None:
            wanted = self.distortion.trunk.backbone.state_dict()
            self.distortion.trunk.backbone.load_state_dict({name: weights[name] for name in wanted})

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs (N, 3, H, W), sRGB 0…1 → maps (N, 12, H/8, W/8) and scores (N,)."""
        maps = self.distortion(a, b)
        return maps, self.scoring(maps)
