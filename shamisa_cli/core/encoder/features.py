"""From feature maps to one vector a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.encoder.backbones import Backbone
from shamisa_cli.core.encoder.spec import FeatureSpec, Preprocessing

STD_EPSILON = 1e-6
"""Added to a variance before its square root, so that flat maps have a defined value."""


def pooled(feature_map: Tensor) -> Tensor:
    """Mean over positions: (N, C, H, W) → (N, C)."""
    return feature_map.mean(dim=(2, 3))


def spread(feature_map: Tensor) -> Tensor:
    """Standard deviation over positions: (N, C, H, W) → (N, C)."""
    centred = feature_map - feature_map.mean(dim=(2, 3), keepdim=True)
    return ((centred * centred).mean(dim=(2, 3)) + STD_EPSILON).sqrt()


MOMENTS = {"mean": pooled, "std": spread}


def normalised(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """sRGB values in 0…1, (N, 3, H, W), to the encoder's input of the same shape."""
    mean = pixels.new_tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = pixels.new_tensor(preprocessing.std).view(1, 3, 1, 1)
    return (pixels - mean) / std


def rescaled(pixels: Tensor, scale: float) -> Tensor:
    """Antialiased bicubic reduction of (N, 3, H, W) by `scale` in 0…1, each side at least one pixel."""
    if scale == 1:
        return pixels
    size = [max(1, round(side * scale)) for side in pixels.shape[2:]]
    return F.interpolate(pixels, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def five_crops(pixels: Tensor, size: int) -> list[Tensor]:
    """The four corner crops and the centre crop, `size` square or as large as the picture allows."""
    height, width = pixels.shape[2:]
    crop_height, crop_width = min(size, height), min(size, width)
    bottom, right = height - crop_height, width - crop_width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    return [pixels[:, :, y : y + crop_height, x : x + crop_width] for y, x in corners]


def feature_length(backbone: Backbone, spec: FeatureSpec) -> int:
    """How many numbers `extract` gives for one picture."""
    channels = backbone.channels(spec.layer)
    return sum(channels[stage] for stage in spec.stages) * len(spec.moments) * len(spec.scales)


def extract(backbone: Backbone, pixels: Tensor, spec: FeatureSpec, preprocessing: Preprocessing) -> Tensor:
    """Features of pictures of one size: sRGB (N, 3, H, W) in 0…1 → (N, D) float32.

    Blocks are ordered by scale, then stage, then moment, each of unit L2 norm (paper: pooled features
    at full and half scale, each normalised, concatenated).
    """
    if spec.crops is None:
        return _read(backbone, pixels, spec, preprocessing)
    crops = [_read(backbone, crop, spec, preprocessing) for crop in five_crops(pixels, spec.crop_size)]
    return torch.stack(crops).mean(dim=0)


def _read(backbone: Backbone, pixels: Tensor, spec: FeatureSpec, preprocessing: Preprocessing) -> Tensor:
    count = len(backbone.stage_channels)
    wanted = [stage % count for stage in spec.stages]
    blocks = []
    for scale in spec.scales:
        view = normalised(rescaled(pixels, scale), preprocessing).contiguous(memory_format=torch.channels_last)
        moments = {
            index: [MOMENTS[moment](feature_map.float()) for moment in spec.moments]
            for index, feature_map in backbone.chosen_stages(view, wanted, spec.layer)
        }
        blocks += [F.normalize(block, dim=1) for stage in wanted for block in moments[stage]]
    return torch.cat(blocks, dim=1)
