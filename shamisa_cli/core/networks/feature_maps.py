"""Feature maps of an encoder in torch, with the places of their cells."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.feature_maps import FeatureMap
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.export.encoder_graph import TracedBackbone
from shamisa_cli.core.networks.features import view_at, wanted_stages
from shamisa_cli.core.networks.model_folders import network_of


def feature_maps(encoder: TorchEncoder, pixels: Pixels) -> Iterator[FeatureMap]:
    """The maps that the features are pooled from: scale by scale, and the stages in the feature spec's order.

    Args:
        encoder: what gives the features.
        pixels: (H, W, 3) sRGB, at the view size.
    """
    backbone, spec = encoder.backbone, encoder.config.features
    wanted = wanted_stages(backbone, spec)
    grids = dict(zip(sorted(set(wanted)), TracedBackbone(backbone, spec).grids(), strict=True))
    with torch.inference_mode():
        picture = torch.from_numpy(pixels).to(encoder.device).permute(2, 0, 1)[None].float() / 255
        for scale in spec.scales:
            crops = view_at(picture, scale, spec, encoder.config.preprocessing)
            maps = dict(backbone.chosen_stages(crops, wanted, spec.layer))
            for stage in wanted:
                yield FeatureMap(maps[stage].float().cpu().numpy(), grids[stage])


def model_feature_maps(model: Model, pixels: Pixels) -> Iterator[FeatureMap]:
    """`feature_maps` of a loaded model. Raises ModelError if its weights cannot be read."""
    return feature_maps(network_of(model), pixels)
