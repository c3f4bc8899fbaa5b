"""The training objective: pull related crops together, keep every dimension alive and independent.

SHAMISA, arXiv 2603.13669, objective; shaped like VICReg (Bardes, Ponce, LeCun 2022), without negative pairs.
All terms are computed at float32 or above, whatever the type of z, also under autocast.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.relations.relations import RelationOutput

VARIANCE_FLOOR = 1e-4  # keeps the square root's slope finite (paper, objective)
TARGET_DEVIATION = 1.0  # standard deviation below which a dimension is pushed out (paper, objective)
SPARSITY = 0.0342  # coefficient of Σ G² (paper, objective)


@dataclass(frozen=True)
class ObjectiveCoefficients:
    """Factors of the terms; the defaults are the paper's (objective)."""

    variance: float = 11.976
    invariance: float = 88.369
    covariance: float = 57.212
    sparsity: float = SPARSITY


@dataclass(frozen=True)
class LossTerms:
    """Scalars of one batch: the loss, and the terms it is made of before their factors.

    Attributes:
        total: the loss, differentiable.
        variance, covariance: each summed over the two halves of the batch.
        invariance: with alignment and sparsity inside.
        alignment: the part of the invariance that comes from the prototypes.
    """

    total: Tensor
    variance: Tensor
    invariance: Tensor
    covariance: Tensor
    alignment: Tensor


def variance(z: Tensor) -> Tensor:
    """How far dimensions fall short of unit deviation: mean over D of relu(1 − sqrt(var + 1e-4)), halved.

    Args:
        z: (n, D), n ≥ 2; var is the unbiased variance over the n rows.

    Returns:
        Scalar in 0…½.
    """
    deviation = (_at_least_float32(z).var(dim=0) + VARIANCE_FLOOR).sqrt()
    return functional.relu(TARGET_DEVIATION - deviation).mean() / 2


def covariance(z: Tensor) -> Tensor:
    """How much dimensions repeat each other: sum over a ≠ b of C_ab² / D, with C = centred zᵀz / (n − 1).

    Args:
        z: (n, D), n ≥ 2.

    Returns:
        Scalar ≥ 0.
    """
    z = _at_least_float32(z)
    n, dimensions = z.shape
    with _no_autocast(z):
        centred = z - z.mean(dim=0)
        matrix = centred.T @ centred / (n - 1)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / dimensions


def invariance(z: Tensor, graph: Tensor, alignment: Tensor, sparsity_coefficient: float = SPARSITY) -> Tensor:
    """How far apart related crops lie: 2·[Σ_{i<j} G_ij‖z_i − z_j‖²/(N·D) + alignment − c·Σ_{i<j} G_ij²].

    The last part is constant, since the graph carries no gradient; it is kept because it belongs to the
    published value.

    Args:
        z: (N, D), not normalised.
        graph: (N, N), G over the same crops: symmetric, weights ≥ 0, zero diagonal.
        alignment: scalar from the prototypes.
        sparsity_coefficient: c.
    """
    z = _at_least_float32(z)
    # Σ_{i<j} G_ij‖z_i − z_j‖² = tr(zᵀ(degree − G)z): one N×N product, where gathering both ends of each of
    # ~10 k edges took twenty times as long. The sum does not see the mean; without it fewer digits cancel.
    centred = z - z.mean(dim=0)
    graph = graph.to(z.dtype)
    with _no_autocast(z):
        pull = graph.sum(dim=1, keepdim=True) * centred - graph @ centred
    spread = (centred * pull).sum() / z.numel()
    return 2 * (spread + alignment - sparsity_coefficient * graph.square().sum() / 2)


def objective(z: Tensor, relations: RelationOutput, coefficients: ObjectiveCoefficients | None = None) -> LossTerms:
    """The loss of one batch.

    Args:
        z: (N, D) projected representations, any floating type, N ≥ 4.
        relations: of the same N crops, on z's device.
        coefficients: the paper's when None.

    Raises:
        TrainingError: fewer than four crops, or a graph over another number of crops.
    """
    if len(z) < 4 or len(relations.graph) != len(z):
        raise TrainingError(
            f"The objective got {len(z)} projections and a graph over {len(relations.graph)} crops; "
            "they must be the same number, at least 4."
        )
    factors = coefficients or ObjectiveCoefficients()
    even, odd = halves(z)
    spread = variance(even) + variance(odd)
    overlap = covariance(even) + covariance(odd)
    distance = invariance(z, relations.graph, relations.alignment, factors.sparsity)
    total = factors.variance * spread + factors.invariance * distance + factors.covariance * overlap
    return LossTerms(total, spread, distance, overlap, relations.alignment)


def halves(z: Tensor) -> tuple[Tensor, Tensor]:
    """Even rows and odd rows (ours; the paper speaks of two halves only).

    Nodes are ordered by sample, then view, so a cut in the middle would part the samples of a batch, while
    every other row gives both halves all samples, views and compositions.
    """
    return z[0::2], z[1::2]


def _no_autocast(z: Tensor) -> torch.autocast:
    return torch.autocast(z.device.type, enabled=False)


def _at_least_float32(z: Tensor) -> Tensor:
    return z.to(torch.promote_types(z.dtype, torch.float32))
