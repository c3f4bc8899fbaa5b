"""The relational networks: signed maps of what changed, and one signed score, both odd by construction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shamisa_cli.core.encoder.spec import Preprocessing
from shamisa_cli.core.networks.backbones import MobileNetV2
from shamisa_cli.core.networks.features import normalised
from shamisa_cli.core.networks.pair_statistics import CHANNELS, LIKENESSES, dissimilarity, picture_channels
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.relational.records import CERTAINTY, MAPS, SQUARED_FLOOR, STRIDE, SURROUNDINGS
from shamisa_cli.core.relational.tiling import MULTIPLE

DEVIATION_FLOOR = 0.03
"""Added to the sum of two standard deviations, so that noise in flat regions does not count as a change."""

ODD_SCALE = 2.0
"""Scales relative changes to the size of the head's other inputs."""

TWO_POSITIONS = 3 / 16
"""Product of the weights ¾ and ¼ of the two positions that an interpolation to twice the size mixes."""

BLOCK_PLACES = 5
"""Kernel size of the head's blocks, in positions."""


@dataclass(frozen=True)
class TrunkFeatures:
    """Features of a batch of images, computed for each image alone, before pairs are compared.

    Attributes:
        maps: the trunk's maps (N, C_k, H_k, W_k), one for each stage read.
        channels: as returned by `picture_channels`.
    """

    maps: tuple[Tensor, ...]
    channels: tuple[Tensor, ...]

    def take(self, rows: Tensor) -> TrunkFeatures:
        """The features of some images, in the order of `rows`."""
        return TrunkFeatures(tuple(part[rows] for part in self.maps), tuple(part[rows] for part in self.channels))


class Trunk(nn.Module):
    """Feature maps of a single image; its weights are shared by both sides of a pair.

    Args:
        config: the stages, and where in them maps are read.
    """

    def __init__(self, config: RelationalConfig) -> None:
        super().__init__()
        self.backbone = MobileNetV2()
        self.backbone.features = self.backbone.features[: max(config.stages) + 1]
        self.stages, self.layer = config.stages, config.layer
        self.reach = _reach(self.backbone.features)
        self.channels = tuple(self.backbone.channels(config.layer)[stage] for stage in config.stages)

    def forward(self, pictures: Tensor) -> TrunkFeatures:
        """sRGB (N, 3, H, W) in 0…1, sides multiples of 16 → features to compare."""
        pixels = normalised(pictures, Preprocessing()).contiguous(memory_format=torch.channels_last)
        maps = self.backbone.chosen_stages(pixels, self.stages, self.layer)
        return TrunkFeatures(tuple(feature_map for _, feature_map in maps), picture_channels(pictures))


class Head(nn.Module):
    """f(a, b): from the features of a pair to maps. Not odd by itself.

    The first layer is linear, so its share of each picture is computed once, for both orders of the pair.

    Args:
        channels: number of channels of one image's maps and channels together.
        width: number of hidden channels.
        blocks: number of blocks.
    """

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(2 * channels, 2 * width, 1, bias=False)
        self.both = nn.Conv2d(channels + LIKENESSES, width, 1)
        self.odd = nn.Conv2d(channels, width, 1, bias=False)
        self.blocks = nn.ModuleList([_block(width) for _ in range(blocks)])
        self.leave = nn.Conv2d(width, len(MAPS) + 2, 1)
        nn.init.zeros_(self.odd.weight)

    def forward(self, first: Tensor, second: Tensor, change: Tensor) -> Tensor:
        """Projections of the first image, the second image, and their change, all (N, width, h, w) → (N, 11, h, w)."""
        x = F.relu(first + second + change)
        for block in self.blocks:
            x = x + block(x)
        return self.leave(x)  # type: ignore[no-any-return]


def _reach(stages: nn.Module) -> int:
    """Receptive field in pixels beyond a position of the last map, interpolation of that map included."""
    reach, step = 0, 1
    for module in stages.modules():
        if isinstance(module, nn.Conv2d):
            reach += module.kernel_size[0] // 2 * step
            step *= module.stride[0]
    return reach + step


def _block(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, BLOCK_PLACES, padding=BLOCK_PLACES // 2, groups=width),
        nn.Conv2d(width, 2 * width, 1),
        nn.ReLU(),
        nn.Conv2d(2 * width, width, 1),
    )


@dataclass(frozen=True)
class NetworkOutput:
    """Output of the distortion network for N pairs, at an eighth of the resolution.

    Attributes:
        signed: (N, 9, h, w), local evidence for each of `MAPS`; changes its sign when the pair is swapped.
        amount: (N, 1, h, w) ≥ 0, size of the change, whichever image is better; the same in both orders.
        weights: (N, 1, h, w) > 0, weight of each position in the score; the same in both orders.
    """

    signed: Tensor
    amount: Tensor
    weights: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three tensors, in order."""
        return self.signed, self.amount, self.weights

    @cached_property
    def directions(self) -> Tensor:
        """(N, 9, h, w) in −1…1: direction of each of `MAPS`, from a position and its surroundings."""
        near, around = (_smoothed(self.signed, side) for side in SURROUNDINGS)
        return towards_one(CERTAINTY / 2 * (near + around))

    @cached_property
    def maps(self) -> Tensor:
        """(N, 9, h, w), signed, in the order of `MAPS`: amount of change times direction at each position."""
        return torch.cat([self.signed[:, :-1].abs(), self.amount], dim=1) * self.directions

    def part(self, rows: slice, columns: slice) -> NetworkOutput:
        """The output at some positions: views, not copies."""
        return NetworkOutput(*(tensor[..., rows, columns] for tensor in self.tensors))


class DistortionNetwork(nn.Module):
    """D(a, b) = f(a, b) − f(b, a): nine signed maps at an eighth of the resolution (method-relational).

    Swapping the images flips every sign exactly, and an image against itself gives exact zeros, whatever the weights
    are. Every map is the product of the amount of change and its direction in −1…1. The amount of the overall map is
    the same in both orders: it is easier to learn than which image is better, and is learned independently.
    """

    def __init__(self, config: RelationalConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        channels = sum(self.trunk.channels) + CHANNELS
        self.head = Head(channels, config.width, config.blocks)
        self.one_scale = nn.Buffer(torch.ones(2 * channels, 1, 1))
        self.both_scale = nn.Buffer(torch.ones(channels + LIKENESSES, 1, 1))

    @property
    def halo(self) -> int:
        """Receptive field in pixels beyond a position, rounded up to a multiple of `MULTIPLE`."""
        reach = self.trunk.reach + len(self.head.blocks) * (BLOCK_PLACES // 2) * STRIDE
        return math.ceil(reach / MULTIPLE) * MULTIPLE

    def forward(self, a: Tensor, b: Tensor) -> NetworkOutput:
        """Compare two batches of images (N, 3, H, W), sRGB 0…1, sides multiples of 16."""
        return self.relate(self.trunk(a), self.trunk(b))

    def relate(self, a: TrunkFeatures, b: TrunkFeatures) -> NetworkOutput:
        """Compare two batches of images by their features."""
        size = _grid_size(a)
        moments_a, moments_b = _moments(a, size), _moments(b, size)
        first_a, second_a = self._entries(moments_a)
        first_b, second_b = self._entries(moments_b)
        change = self.head.both(_change(a, b, size) * self.both_scale)
        odd = self.head.odd(_relative_change(moments_a, moments_b) * ODD_SCALE)
        forth = self.head(first_a, second_b, change + odd)
        back = self.head(first_b, second_a, change - odd)
        even_maps = F.softplus((forth + back)[:, -2:])
        return NetworkOutput((forth - back)[:, :-2], even_maps[:, :1], even_maps[:, 1:])

    def _entries(self, moments: Tensor) -> tuple[Tensor, Tensor]:
        first, second = self.head.one(moments * self.one_scale).chunk(2, dim=1)
        return first, second

    @property
    def calibrated(self) -> bool:
        """Whether `calibrate` has been called on these weights."""
        return not bool((self.one_scale == 1).all())

    @torch.no_grad()
    def calibrate(self, a: Tensor, b: Tensor) -> None:
        """Scale the head's inputs to unit root mean square over these pairs (N, 3, H, W)."""
        seen_a, seen_b = self.trunk(a), self.trunk(b)
        size = _grid_size(seen_a)
        moments = torch.cat([_moments(seen_a, size), _moments(seen_b, size)])
        for scale, entering in ((self.one_scale, moments), (self.both_scale, _change(seen_a, seen_b, size))):
            scale.copy_(1 / entering.square().mean(dim=(0, 2, 3)).sqrt().clamp_min(1e-3)[:, None, None])


def _smoothed(maps: Tensor, side: int) -> Tensor:
    """Means of side × side positions, of fewer at the edges."""
    return F.avg_pool2d(maps, side, stride=1, padding=side // 2, count_include_pad=False)


def _grid_size(seen: TrunkFeatures) -> tuple[int, int]:
    height, width = seen.channels[0].shape[2:]
    return height // STRIDE, width // STRIDE


def _on_grid(feature_map: Tensor, size: tuple[int, int]) -> Tensor:
    """Finer maps averaged, coarser ones interpolated, to h × w."""
    if feature_map.shape[2] >= size[0]:
        factor = feature_map.shape[2] // size[0]
        return F.avg_pool2d(feature_map, factor) if factor > 1 else feature_map
    return _interpolated(feature_map, size)


def _interpolated(values: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(values, size=size, mode="bilinear", align_corners=False)


def _moments(seen: TrunkFeatures, size: tuple[int, int]) -> Tensor:
    """Local mean and standard deviation of every channel, (N, 2·ΣC, h, w), robust to a shift of one pixel."""
    means, deviations = [], []
    for feature_map in (*seen.maps, *seen.channels):
        means.append(_on_grid(feature_map, size))
        deviations.append((_spread(feature_map, means[-1]) + SQUARED_FLOOR).sqrt())
    return torch.cat([*means, *deviations], dim=1)


def _spread(feature_map: Tensor, mean: Tensor) -> Tensor:
    """Local variance of every channel on the grid of its `mean`.

    It comes from differences, never from E[x²] − E[x]²: where an image is flat that would be rounding, which the
    deviation's steep root makes a change of a hundredth of a map.
    """
    factor = feature_map.shape[2] // mean.shape[2]
    if factor > 1:
        beside = mean.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
        return F.avg_pool2d((feature_map - beside).square(), factor)
    if feature_map.shape == mean.shape:
        return torch.zeros_like(mean)
    height, width = mean.shape[2:]
    rows = _interpolated(feature_map, (height, feature_map.shape[3]))
    return _interpolated(_between(feature_map, dim=2), (height, width)) + _between(rows, dim=3)


def _between(values: Tensor, dim: int) -> Tensor:
    """Variance of the interpolation that doubles an axis: of weights ¾ and ¼ it is 3/16 of the squared difference of
    the two positions, and at the ends, where there is one, 0."""
    apart = values.diff(dim=dim).square() * TWO_POSITIONS
    padded = F.pad(apart, (0, 0, 1, 1) if dim == 2 else (1, 1, 0, 0))
    return padded.repeat_interleave(2, dim=dim).narrow(dim, 1, 2 * values.shape[dim])


def _relative_change(moments_a: Tensor, moments_b: Tensor) -> Tensor:
    """(σ_b − σ_a) / (σ_b + σ_a) of every channel, (N, ΣC, h, w) in −1…1: flips its sign with the order, exactly."""
    deviations_a, deviations_b = moments_a.chunk(2, dim=1)[1], moments_b.chunk(2, dim=1)[1]
    return (deviations_b - deviations_a) / (deviations_b + deviations_a + DEVIATION_FLOOR)


def _change(a: TrunkFeatures, b: TrunkFeatures, size: tuple[int, int]) -> Tensor:
    """Local root mean square of the difference of every channel, and dissimilarity of gradients and colours,
    (N, ΣC + 6, h, w); symmetric in the two images."""
    pairs = zip((*a.maps, *a.channels), (*b.maps, *b.channels), strict=True)
    squares = [_on_grid((left - right).square(), size) for left, right in pairs]
    root = (torch.cat(squares, dim=1) + SQUARED_FLOOR).sqrt()
    return torch.cat([root, (dissimilarity(a.channels, b.channels, STRIDE) + SQUARED_FLOOR).sqrt()], dim=1)


def towards_one(x: Tensor) -> Tensor:
    """Odd squashing to −1…1, with tails slow enough for the gradient to correct a confident error."""
    return x / (1 + x.square()).sqrt()
