"""Graphs from the encoder's current representations (SHAMISA, arXiv 2603.13669, structure graphs).

Representations h have unit L2 norm. Edge weights are functions of h and of the prototypes and carry their gradient;
the choice of edges does not. A graph is its (N, N) matrix of directed weights; all shapes depend on N alone, so
nothing here waits for a GPU.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from shamisa_cli.core.graphs.sparse import SparseGraph

NEIGHBOURS = 31  # k of the nearest-neighbour graph (paper, structure graphs)
PROTOTYPES = 32  # P (paper, structure graphs)
TEMPERATURE = 0.1  # of p = softmax(ℓ / temperature) (paper, structure graphs)
SINKHORN_EPSILON = 0.05  # (paper, structure graphs)
SINKHORN_ROUNDS = 6  # (paper, structure graphs)
PROTOTYPE_ENTRIES_PER_CROP = 8  # the 8·N strongest directed entries are kept (paper, structure graphs)

Reach = Literal["batch", "row"]
"""Among which entries the strongest are kept: all of the batch (paper), or each crop's own (ablation C1)."""


def nearest_neighbours(h: Tensor, k: int = NEIGHBOURS) -> Tensor:
    """Symmetric (N, N) with a zero diagonal: each crop and its k nearest, weight 1/(1 + ‖h_i − h_j‖).

    Both directions are added (paper, structure graphs), so a pair whose crops are each among the other's nearest
    has twice the weight. The weights carry gradient to h; between crops that coincide it is 0.

    Args:
        h: (N, dim), unit L2 norm; anything below float32 is raised to it.
        k: neighbours of each crop, itself not counted; at most N − 1 are taken.
    """
    h = _at_least_float32(h)
    n = len(h)
    # Representations share a large mean; without it the distances of close crops keep more digits.
    centred = h - h.mean(dim=0)
    affinity = 1 / (1 + torch.cdist(centred, centred))
    itself = torch.eye(n, dtype=torch.bool, device=h.device)
    neighbour = affinity.detach().masked_fill(itself, -torch.inf).topk(min(k, n - 1), dim=1).indices
    directed = torch.zeros_like(affinity).scatter(1, neighbour, affinity.gather(1, neighbour))
    return directed + directed.T


class Prototypes(nn.Module):
    """P weight-normalised prototype vectors, each a direction and a learned length.

    Both are initialised like a linear layer's weights: entries uniform in ±1/√dim, so lengths near 1/√3 ≈ .58
    (paper, structure graphs).

    Args:
        feature_dim: length of a representation.
        count: P.
        centred: subtract the batch's mean from each representation and normalise it again (ours).
            Features after a ReLU are all positive, so without this their cosines with any direction are alike.
    """

    def __init__(self, feature_dim: int, count: int = PROTOTYPES, *, centred: bool = False) -> None:
        super().__init__()
        self.centred = centred
        self.directions = nn.Parameter((torch.rand(count, feature_dim) * 2 - 1) / math.sqrt(feature_dim))
        self.lengths = nn.Parameter(self.directions.detach().norm(dim=1))

    def forward(self, h: Tensor) -> Tensor:
        """(N, dim) unit norm → (N, P) logits ℓ: the cosine times the prototype's length, at least float32."""
        h = _at_least_float32(h)
        if self.centred:
            h = functional.normalize(h - h.mean(dim=0), dim=1)
        return h @ functional.normalize(self.directions, dim=1).to(h.dtype).T * self.lengths.to(h.dtype)


@torch.no_grad()
def sinkhorn(logits: Tensor, epsilon: float = SINKHORN_EPSILON, rounds: int = SINKHORN_ROUNDS) -> Tensor:
    """Soft assignment of crops to prototypes that uses all prototypes about equally.

    Each round scales the columns of exp(ℓ/ε) to equal sums, then the rows to sum 1, in the log domain so that
    nothing overflows. No gradient passes.

    Args:
        logits: (N, P).

    Returns:
        Codes q (N, P) ≥ 0, at least float32; each row sums to 1, each column to about N/P.
    """
    log_codes = _at_least_float32(logits.detach()) / epsilon
    for _ in range(rounds):
        log_codes = log_codes.log_softmax(dim=0)
        log_codes = log_codes.log_softmax(dim=1)
    return log_codes.exp()


def prototype_affinity(
    log_p: Tensor, entries_per_crop: int = PROTOTYPE_ENTRIES_PER_CROP, reach: Reach = "batch"
) -> Tensor:
    """(N, N) directed graph of crops with similar assignments to prototypes; weight 0…1.

    The affinity of i to j is the mean over prototypes of p_j·log p_i, scaled so that the least of all N² entries,
    the diagonal among them, is 0 and the greatest 1 (all 0 if equal). The strongest entries stay; they carry
    gradient to log p.

    Args:
        log_p: (N, P), log p, rows of p sum to 1.
        entries_per_crop: how many entries stay, as a multiple of N; among equals the first in the order of (i, j).
        reach: "batch" keeps the strongest of all entries, "row" the strongest of each crop's.
    """
    log_p = _at_least_float32(log_p)
    n, prototypes = log_p.shape
    affinity = log_p @ log_p.exp().T / prototypes
    affinity = affinity - affinity.min()
    affinity = affinity / affinity.max().clamp(min=torch.finfo(affinity.dtype).tiny)
    rows = affinity.view(1, -1) if reach == "batch" else affinity
    keep = min(entries_per_crop * n, n * n) if reach == "batch" else min(entries_per_crop, n)
    strongest = rows.detach().sort(dim=1, descending=True, stable=True).indices[:, :keep]
    return torch.zeros_like(rows).scatter(1, strongest, rows.gather(1, strongest)).view(n, n)


def alignment_gain(log_p: Tensor, codes: Tensor, same_degradation: SparseGraph) -> Tensor:
    """Agreement of p with the codes: mean of q_i·log p_i plus mean of q_i·log p_j over crops of the same distortion.

    Means are over crops, or pairs of crops, and over prototypes (paper, structure graphs). Each edge {i, j} counts
    in both directions; with no edge its mean is 0. The gradient reaches log p, never the codes.

    Args:
        log_p: (N, P).
        codes: q (N, P) from `sinkhorn`.
        same_degradation: graph over the same N crops; its weights are not used.

    Returns:
        Scalar ≤ 0; the alignment loss is −½·coefficient·gain.
    """
    codes = codes.detach()
    own = (codes * log_p).mean()
    i, j = same_degradation.index
    crossed = (codes[i] * log_p[j] + codes[j] * log_p[i]).sum() / max(2 * len(i), 1) / log_p.shape[1]
    return own + crossed


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
