"""Retention: a penalty that keeps an encoder's features near those of its initial weights (ours)."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.networks.backbones import Backbone


def stage_means(backbone: Backbone, pixels: Tensor, stages: Sequence[int]) -> list[Tensor]:
    """Pooled means of some stages: normalised pixels (N, 3, H, W) → float32 (N, C_k) for each of `stages`.

    Negative stages count from the last. Stages after the last wanted one are not computed.
    """
    # Summed in float32 without a float32 copy of the map, which could need more memory than the backward pass.
    means = {
        index: feature_map.mean(dim=(2, 3), dtype=torch.float32)
        for index, feature_map in backbone.chosen_stages(pixels, stages)
    }
    return [means[stage % len(backbone.stage_channels)] for stage in stages]


def retention_loss(features: Sequence[Tensor], start: Sequence[Tensor]) -> Tensor:
    """Σ over stages of mean over crops of 1 − cos(feature, the start's feature).

    Args:
        features, start: for each stage (n, C_k), in the same order.

    Returns:
        A scalar in 0…2·stages; 0 when every feature has its initial direction.
    """
    terms = [(1 - F.cosine_similarity(now, then, dim=1)).mean() for now, then in zip(features, start, strict=True)]
    return torch.stack(terms).sum()


class InitialEncoder:
    """A frozen copy of an encoder's initial state; its batch norm uses the running statistics.

    Args:
        backbone: copied now; later changes have no effect.
        stages: stages whose pooled means are compared.
    """

    def __init__(self, backbone: Backbone, stages: Sequence[int]) -> None:
        self._backbone = copy.deepcopy(backbone).eval().requires_grad_(False)
        self._stages = tuple(stages)

    @torch.no_grad()
    def features(self, pixels: Tensor) -> list[Tensor]:
        """Pooled means (n, C_k) of the initial encoder for normalised pixels (n, 3, H, W)."""
        return stage_means(self._backbone, pixels, self._stages)
