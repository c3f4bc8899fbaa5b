"""What the relational networks are trained to do: dense signed targets, and orders that are certain."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMOOTH = 0.5
"""Intensity units below which the dense loss is quadratic."""


def dense_loss(maps: Tensor, targets: Tensor) -> Tensor:
    """Smooth L1 between predicted and true signed maps, both (N, K, h, w) in intensity units 0…4; a scalar.

    Places where something changed count as much as all the others together, however few they are.
    """
    errors = F.smooth_l1_loss(maps, targets, beta=SMOOTH, reduction="none")
    changed = (targets.abs() > SMOOTH / 5).to(errors.dtype)
    share = changed.mean().clamp(0.02, 0.98)
    weights = changed / share + (1 - changed) / (1 - share)
    return (errors * weights).mean() / 2


def order_loss(scores: Tensor, margin: float = 0.0) -> Tensor:
    """Logistic loss on scores (N,) of pairs whose second picture is certainly worse, so that they should be negative."""
    return F.softplus(scores + margin).mean() if len(scores) else scores.sum()


def agreement_loss(scores: Tensor, opinions: Tensor, certain: float) -> Tensor:
    """Logistic ranking loss over pairs of comparisons on whose order all measures agree.

    Args:
        scores: (N,) relational scores of N candidates against their references.
        opinions: (N, M) what M measures say of the same, each of zero mean and unit variance, higher better.
        certain: how far apart every measure must put two candidates for their order to be taken as certain.
    """
    apart = opinions[:, None] - opinions[None]
    better = (apart > certain).all(dim=2)
    if not better.any():
        return scores.sum() * 0
    gaps = (scores[:, None] - scores[None])[better]
    return F.softplus(-gaps).mean()


def pair_indices(versions: int) -> tuple[Tensor, Tensor]:
    """All pairs i < j of V versions: two index tensors of length V·(V − 1)/2."""
    first, second = torch.triu_indices(versions, versions, offset=1)
    return first, second
