"""Where in a picture a linear function of its features comes from: exact, for the mean and the deviation are sums.

A mean is Σ x / n over n positions; a deviation, once it is known, is Σ ((x − mean)² + ε) / (n · deviation); and the
unit norm of a block divides it by one number of the whole picture. So a weighted sum of features is a sum of maps,
one for each stage and scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shamisa_cli.core.encoder.crops import Box, boxes_read
from shamisa_cli.core.encoder.encoder import Encoder
from shamisa_cli.core.encoder.features import (
    MOMENTS,
    STD_EPSILON,
    cropped,
    pooled,
    spread,
    view_at,
    wanted_stages,
)


@dataclass(frozen=True)
class Contribution:
    """What the positions of one feature map add to the weighted sum.

    Attributes:
        box: the part of the picture that the map covers, in pixels.
        values: (h, w) float64.
    """

    box: Box
    values: NDArray[np.float64]


def mean_shares(feature_map: Tensor) -> Tensor:
    """What each position adds to `pooled`: (N, C, H, W) → the same shape."""
    return feature_map / feature_map[0, 0].numel()


def deviation_shares(feature_map: Tensor) -> Tensor:
    """What each position adds to `spread`: (N, C, H, W) → the same shape."""
    centred = feature_map - pooled(feature_map)[:, :, None, None]
    return (centred * centred + STD_EPSILON) / (feature_map[0, 0].numel() * spread(feature_map)[:, :, None, None])


SHARES = {"mean": mean_shares, "std": deviation_shares}


def contributions(encoder: Encoder, pixels: NDArray[np.uint8], weights: NDArray[np.float64]) -> Iterator[Contribution]:
    """Split Σ weights · features over the picture: the values of all maps together sum to it.

    Args:
        encoder: what gives the features.
        pixels: (H, W, 3) sRGB, at the view size.
        weights: (D,) one for each feature.
    """
    spec = encoder.config.features
    with torch.inference_mode():
        picture = torch.from_numpy(pixels).to(encoder.device).permute(2, 0, 1)[None].float() / 255
        boxes = boxes_read(pixels.shape[0], pixels.shape[1], spec)
        shares = torch.from_numpy(weights / len(boxes)).to(encoder.device, torch.float32)
        for box in boxes:
            for values in _maps(encoder, cropped(picture, box), shares):
                yield Contribution(box, values.double().cpu().numpy())


def _maps(encoder: Encoder, picture: Tensor, weights: Tensor) -> Iterator[Tensor]:
    """The map (h, w) of each scale and stage for one picture (1, 3, H, W)."""
    backbone, spec = encoder.backbone, encoder.config.features
    wanted = wanted_stages(backbone, spec)
    channels = backbone.channels(spec.layer)
    lengths = [channels[stage] for stage in wanted for _ in spec.moments]
    blocks = iter(torch.split(weights, lengths * len(spec.scales)))
    for scale in spec.scales:
        of_stage = {stage: [next(blocks) for _ in spec.moments] for stage in wanted}
        view = view_at(picture, scale, encoder.config.preprocessing)
        for stage, feature_map in backbone.chosen_stages(view, wanted, spec.layer):
            yield torch.stack(
                [
                    _weighted(feature_map.float(), moment, block)
                    for moment, block in zip(spec.moments, of_stage[stage], strict=True)
                ]
            ).sum(dim=0)


def _weighted(feature_map: Tensor, moment: str, weights: Tensor) -> Tensor:
    # As torch.nn.functional.normalize does.
    norm: Tensor = MOMENTS[moment](feature_map).norm(dim=1).clamp_min(1e-12)
    weighted: Tensor = torch.einsum("c,chw->hw", weights, SHARES[moment](feature_map)[0])
    return weighted / norm
