"""A penalty that keeps an encoder near what it knew at the start (ours; see the evaluation of a pilot)."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.networks.backbones import Backbone


def stage_means(backbone: Backbone, pixels: Tensor, stages: Sequence[int]) -> list[Tensor]:
    """Pooled means of some stages: normalised pixels (N, 3, H, W) → a float32 (N, C_k) for each of `stages`.

    Negative stages count from the last. Nothing beyond the last wanted stage is computed.
    """
    # Summed in float32 without a float32 copy of the map, which can be larger than all that is kept for backward.
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
        A scalar in 0…2·stages; 0 when every feature points where it did at the start.
    """
    terms = [(1 - F.cosine_similarity(now, then, dim=1)).mean() for now, then in zip(features, start, strict=True)]
    return torch.stack(terms).sum()


class InitialEncoder:
    """A frozen copy of an encoder as it was, with batch-norm statistics in use, not estimated.

    Args:
        backbone: copied now; what happens to it later does not matter.
        stages: which stages' pooled means are compared.
    """

    def __init__(self, backbone: Backbone, stages: Sequence[int]) -> None:
        self._backbone = copy.deepcopy(backbone).eval().requires_grad_(False)
        self._stages = tuple(stages)

    @torch.no_grad()
    def features(self, pixels: Tensor) -> list[Tensor]:
        """The pooled means (n, C_k) that the start gives for normalised pixels (n, 3, H, W)."""
        return stage_means(self._backbone, pixels, self._stages)
