"""Feature maps of an encoder in torch, with the places of their cells."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.feature_maps import FAR_SEEING, FeatureMap
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.networks.backbones import Backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.export.encoder_graph import TracedBackbone
from shamisa_cli.core.networks.features import view_at, wanted_stages
from shamisa_cli.core.networks.model_folders import network_of
from shamisa_cli.core.networks.pixels import batch_of


def feature_maps(encoder: TorchEncoder, pixels: Pixels) -> Iterator[FeatureMap]:
    """The maps that the features are pooled from: scale by scale, and the stages in the feature spec's order.

    Args:
        encoder: what gives the features.
        pixels: (H, W, 3) sRGB, at the view size.
    """
    backbone, spec = encoder.backbone, encoder.config.features
    wanted = wanted_stages(backbone, spec)
    grids = dict(zip(sorted(set(wanted)), TracedBackbone(backbone, spec).grids(), strict=True))
    with torch.inference_mode(), torch.autocast(encoder.device.type, enabled=False):
        picture = batch_of(pixels, encoder.device)
        for scale in spec.scales:
            crops = view_at(picture, scale, spec, encoder.config.preprocessing)
            maps = dict(backbone.chosen_stages(crops, wanted, spec.layer))
            for stage in wanted:
                yield FeatureMap(maps[stage].float().cpu().numpy(), grids[stage])


def model_feature_maps(model: Model, pixels: Pixels) -> Iterator[FeatureMap]:
    """`feature_maps` of a loaded model, borders repeated. Raises ModelError if its weights cannot be read."""
    encoder = network_of(model)
    return feature_maps(replace(encoder, backbone=_with_repeated_borders(encoder)), pixels)


def _with_repeated_borders(encoder: TorchEncoder) -> Backbone:
    """A copy of the backbone whose far-seeing stages repeat the border of their maps instead of padding with zeros."""
    changed, spec = copy.deepcopy(encoder.backbone), encoder.config.features
    grids = TracedBackbone(encoder.backbone, spec).grids()
    read = sorted(set(wanted_stages(encoder.backbone, spec)))
    first = next((stage for stage, grid in zip(read, grids, strict=True) if grid.stride >= FAR_SEEING), read[-1])
    for stage in changed.stage_modules()[first + 1 :]:
        for layer in stage.modules():
            if isinstance(layer, nn.Conv2d):
                layer.padding_mode = "replicate"
    return changed
