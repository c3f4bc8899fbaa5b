"""From feature maps to one vector per image."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.encoder.spec import Box, FeatureSpec, Preprocessing, copy_size, feature_boxes
from shamisa_cli.core.networks.backbones import Backbone

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
    mean, std = _mean_and_std(preprocessing, pixels.dtype, pixels.device)
    return (pixels - mean) / std


@functools.lru_cache(maxsize=16)
def _mean_and_std(preprocessing: Preprocessing, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Two (1, 3, 1, 1) tensors, cached, since sending a constant to a GPU is synchronous."""
    with torch.inference_mode(False):
        constants = torch.tensor([preprocessing.mean, preprocessing.std], dtype=dtype, device=device)
    mean, std = constants.view(2, 1, 3, 1, 1)
    return mean, std


def rescaled(pixels: Tensor, scale: float) -> Tensor:
    """Antialiased bicubic reduction of (N, 3, H, W) by `scale` in 0…1, each side at least one pixel."""
    if scale == 1:
        return pixels
    size = list(copy_size(pixels.shape[2], pixels.shape[3], scale))
    return F.interpolate(pixels, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def cropped(pixels: Tensor, box: Box) -> Tensor:
    """The part of (N, C, H, W) inside the box."""
    top, left, height, width = box
    return pixels[:, :, top : top + height, left : left + width]


def feature_length(backbone: Backbone, spec: FeatureSpec) -> int:
    """D, the number of features of one image."""
    channels = backbone.channels(spec.layer)
    return sum(channels[stage] for stage in spec.stages) * len(spec.moments) * len(spec.scales)


def extract(backbone: Backbone, pixels: Tensor, spec: FeatureSpec, preprocessing: Preprocessing) -> Tensor:
    """Features of pictures of one size: sRGB (N, 3, H, W) in 0…1 → (N, D) float32, averaged over crops."""
    rows = extract_crops(backbone, pixels, spec, preprocessing)
    return rows.mean(dim=1) if spec.crops else rows[:, 0]


def extract_crops(backbone: Backbone, pixels: Tensor, spec: FeatureSpec, preprocessing: Preprocessing) -> Tensor:
    """Features of each crop of pictures of one size: sRGB (N, 3, H, W) in 0…1 → (N, R, D) float32.

    Crop i of the copy at each scale makes row i; R is 1 where whole pictures are read. Blocks of a row are ordered
    by scale, then stage, then moment, each of unit L2 norm (paper: pooled features at full and half scale, each
    normalised, concatenated).
    """
    wanted = wanted_stages(backbone, spec)
    blocks = []
    for scale in spec.scales:
        crops = view_at(pixels, scale, spec, preprocessing)
        moments = {
            index: [MOMENTS[moment](feature_map.float()) for moment in spec.moments]
            for index, feature_map in backbone.chosen_stages(crops, wanted, spec.layer)
        }
        blocks += [F.normalize(block, dim=1) for stage in wanted for block in moments[stage]]
    rows = torch.cat(blocks, dim=1)
    return rows.view(-1, len(pixels), rows.shape[1]).transpose(0, 1)


def view_at(pixels: Tensor, scale: float, spec: FeatureSpec, preprocessing: Preprocessing) -> Tensor:
    """Prepare the backbone's input at one scale of the feature spec: rescale, normalise and crop.

    Args:
        pixels: (N, 3, H, W), sRGB in 0…1.
        scale: relative size, above 0 and at most 1.
        spec: says whether whole images or crops are read.
        preprocessing: normalisation of the channels.

    Returns:
        (R·N, 3, h, w), the first crop of every image first; R is 1 where whole images are read.
    """
    copy = normalised(rescaled(pixels, scale), preprocessing)
    boxes = feature_boxes(copy.shape[2], copy.shape[3], spec)
    crops = torch.cat([cropped(copy, box) for box in boxes]) if spec.crops else copy
    return crops.contiguous(memory_format=torch.channels_last)


def wanted_stages(backbone: Backbone, spec: FeatureSpec) -> list[int]:
    """The feature spec's stages in its order, none of them counted from the last."""
    return [stage % len(backbone.stage_channels) for stage in spec.stages]
