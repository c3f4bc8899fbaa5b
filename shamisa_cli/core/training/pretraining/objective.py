"""The training objective: pull related crops together, and keep dimensions spread out and uncorrelated.

SHAMISA, arXiv 2603.13669, objective; shaped like VICReg (Bardes, Ponce, LeCun 2022), without negative pairs.
All terms are computed at float32 or above, whatever the type of z, also under autocast.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.graphs.relation_graph import RelationOutput

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
    """Scalars of one batch: the loss, and its terms before their factors.

    Attributes:
        total: the loss, differentiable.
        variance, covariance: each summed over the two halves of the batch.
        invariance: includes alignment and sparsity.
        alignment: the contribution of the prototypes to the invariance.
    """

    total: Tensor
    variance: Tensor
    invariance: Tensor
    covariance: Tensor
    alignment: Tensor


def variance(z: Tensor) -> Tensor:
    """Variance term: shortfall from unit deviation, half the mean over D of relu(1 − sqrt(var + 1e-4)).

    Args:
        z: (n, D), n ≥ 2; var is the unbiased variance over the n rows.

    Returns:
        Scalar in 0…½.
    """
    deviation = (_at_least_float32(z).var(dim=0) + VARIANCE_FLOOR).sqrt()
    return functional.relu(TARGET_DEVIATION - deviation).mean() / 2


def covariance(z: Tensor) -> Tensor:
    """Covariance term: correlation of dimensions, sum over a ≠ b of C_ab² / D, with C = centred zᵀz / (n − 1).

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
    """Invariance term: distance of related crops, 2·[Σ_{i<j} G_ij‖z_i − z_j‖²/(N·D) + alignment − c·Σ_{i<j} G_ij²].

    The last part rewards relations: where edge weights carry gradient, it counteracts their decrease by the first.

    Args:
        z: (N, D), not normalised.
        graph: (N, N), G over the same crops: weights ≥ 0 above the diagonal, 0 elsewhere.
        alignment: scalar from the prototypes.
        sparsity_coefficient: c.
    """
    z = _at_least_float32(z)
    # Σ_{i<j} G_ij‖z_i − z_j‖² = tr(zᵀ(degree − G)z): one N×N product, twenty times as fast as gathering both ends of
    # ~10 k edges. The sum does not depend on the mean; subtracting it reduces cancellation.
    centred = z - z.mean(dim=0)
    graph = graph.to(z.dtype)
    both = graph + graph.T
    with _no_autocast(z):
        pull = both.sum(dim=1, keepdim=True) * centred - both @ centred
    spread = (centred * pull).sum() / z.numel()
    return 2 * (spread + alignment - sparsity_coefficient * graph.square().sum())


def objective(
    z: Tensor, relations: RelationOutput, references: int, coefficients: ObjectiveCoefficients | None = None
) -> LossTerms:
    """Compute the loss of one batch.

    Args:
        z: (N, D) projected representations, any floating type, N ≥ 4; the references come first.
        relations: of the same N crops, on z's device.
        references: how many of the crops are undistorted.
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
    first, second = halves(z, references)
    spread = variance(first) + variance(second)
    overlap = covariance(first) + covariance(second)
    distance = invariance(z, relations.graph, relations.alignment, factors.sparsity)
    total = factors.variance * spread + factors.invariance * distance + factors.covariance * overlap
    return LossTerms(total, spread, distance, overlap, relations.alignment)


def halves(z: Tensor, references: int) -> tuple[Tensor, Tensor]:
    """Split rows into the first halves of references and of distorted crops, and the rest (paper, objective).

    Crops are ordered by sample, so with two samples each half holds the rows of one of them.
    """
    undistorted, distorted = z[:references], z[references:]
    cut, distorted_cut = len(undistorted) // 2, len(distorted) // 2
    first = torch.cat([undistorted[:cut], distorted[:distorted_cut]])
    return first, torch.cat([undistorted[cut:], distorted[distorted_cut:]])


def _no_autocast(z: Tensor) -> torch.autocast:
    return torch.autocast(z.device.type, enabled=False)


def _at_least_float32(z: Tensor) -> Tensor:
    return z.to(torch.promote_types(z.dtype, torch.float32))
