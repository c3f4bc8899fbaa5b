"""Exact split of a linear function of an image's features over its pixels; mean and deviation are sums.

A mean is Σ x / n over n positions; a deviation, once it is known, is Σ ((x − mean)² + ε) / (n · deviation); and the
unit norm of a block divides it by one number of the whole picture. So a weighted sum of features is a sum of maps,
one for each stage and scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from numpy.typing import NDArray
from torch import Tensor

from shamisa_cli.core.encoder.spec import Box, box_in_picture, copy_size, feature_boxes
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.features import MOMENTS, STD_EPSILON, pooled, spread, view_at, wanted_stages
from shamisa_cli.core.networks.model_folders import network_of
from shamisa_cli.core.probe.ridge import POINTS, Probe
from shamisa_cli.core.scoring.score_map import ScoreMap, resized
from shamisa_cli.core.scoring.scorer import require_probe


@dataclass(frozen=True)
class Contribution:
    """Contributions of the positions of one feature map to the weighted sum.

    Attributes:
        box: the part of the image that the map covers, in pixels of the image; for a crop of a reduced copy to
            the nearest pixel.
        values: (h, w) float64, in units of the weighted sum.
    """

    box: Box
    values: NDArray[np.float64]


def mean_shares(feature_map: Tensor) -> Tensor:
    """Contribution of each position to `pooled`: (N, C, H, W) → the same shape."""
    return feature_map / feature_map[0, 0].numel()


def deviation_shares(feature_map: Tensor) -> Tensor:
    """Contribution of each position to `spread`: (N, C, H, W) → the same shape."""
    centred = feature_map - pooled(feature_map)[:, :, None, None]
    return (centred * centred + STD_EPSILON) / (feature_map[0, 0].numel() * spread(feature_map)[:, :, None, None])


SHARES = {"mean": mean_shares, "std": deviation_shares}


def contributions(
    encoder: TorchEncoder, pixels: NDArray[np.uint8], weights: NDArray[np.float64]
) -> Iterator[Contribution]:
    """Split Σ weights · features over the picture: the values of all maps together sum to it.

    Args:
        encoder: what gives the features.
        pixels: (H, W, 3) sRGB, at the view size.
        weights: (D,) one for each feature.
    """
    backbone, spec = encoder.backbone, encoder.config.features
    height, width = pixels.shape[:2]
    wanted = wanted_stages(backbone, spec)
    channels = backbone.channels(spec.layer)
    lengths = [channels[stage] for stage in wanted for _ in spec.moments]
    with torch.inference_mode():
        picture = torch.from_numpy(pixels).to(encoder.device).permute(2, 0, 1)[None].float() / 255
        shares = torch.from_numpy(weights / (spec.crops or 1)).to(encoder.device, torch.float32)
        blocks = iter(torch.split(shares, lengths * len(spec.scales)))
        for scale in spec.scales:
            of_stage = {stage: [next(blocks) for _ in spec.moments] for stage in wanted}
            crops = view_at(picture, scale, spec, encoder.config.preprocessing)
            copy = copy_size(height, width, scale)
            boxes = [box_in_picture(box, copy, (height, width)) for box in feature_boxes(*copy, spec)]
            for stage, feature_map in backbone.chosen_stages(crops, wanted, spec.layer):
                maps = torch.stack(
                    [
                        _weighted(feature_map.float(), moment, block)
                        for moment, block in zip(spec.moments, of_stage[stage], strict=True)
                    ]
                ).sum(dim=0)
                for box, values in zip(boxes, maps, strict=True):
                    yield Contribution(box, values.double().cpu().numpy())


def _weighted(feature_map: Tensor, moment: str, weights: Tensor) -> Tensor:
    """The maps (R, h, w) of each crop for one moment of feature maps (R, C, h, w)."""
    # As torch.nn.functional.normalize does.
    norm: Tensor = MOMENTS[moment](feature_map).norm(dim=1).clamp_min(1e-12)
    weighted: Tensor = torch.einsum("c,nchw->nhw", weights, SHARES[moment](feature_map))
    return weighted / norm[:, None, None]


def split_score(encoder: TorchEncoder, probe: Probe, pixels: npt.NDArray[np.uint8]) -> ScoreMap:
    """Split the score of one picture, sRGB (H, W, 3) at its view size, over its pixels.

    Terms that do not depend on the image (bias, standardisation) are spread evenly; the contribution of a position
    of a feature map is spread evenly over the pixels it covers.
    """
    weights = POINTS * probe.weights / probe.feature_scale
    height, width = pixels.shape[:2]
    constant = POINTS * probe.bias - float(np.sum(weights * probe.feature_mean))
    points = np.full((height, width), constant / (height * width))
    for part in contributions(encoder, pixels, weights):
        top, left, rows, columns = part.box
        points[top : top + rows, left : left + columns] += resized(part.values, rows, columns)
    return ScoreMap(points, POINTS * probe.bias)


def split_model_score(model: Model, pixels: npt.NDArray[np.uint8]) -> ScoreMap:
    """`split_score` with the encoder and the probe of a model. Raises ModelError where it has no probe."""
    return split_score(network_of(model), require_probe(model), pixels)
