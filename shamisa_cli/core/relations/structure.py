"""Graphs that follow from the encoder's current representations (SHAMISA, arXiv 2603.13669, structure graphs).

Representations h have unit L2 norm. No graph carries a gradient. A graph is its symmetric (N, N) matrix with a zero
diagonal, made in steps whose shapes depend on N alone: on a GPU nothing here waits for a result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from shamisa_cli.core.relations.graph import Graph

NEIGHBOURS = 31  # k of the nearest-neighbour graph (paper, structure graphs)
PROTOTYPES = 32  # P (paper, structure graphs)
TEMPERATURE = 0.1  # of p = softmax(ℓ / temperature) (paper, structure graphs)
SINKHORN_EPSILON = 0.05  # (paper, structure graphs)
SINKHORN_ROUNDS = 6  # (paper, structure graphs)
PROTOTYPE_EDGES_PER_NODE = 8  # the 8·N strongest entries are kept (paper, structure graphs)


@torch.no_grad()
def nearest_neighbours(h: Tensor, k: int = NEIGHBOURS) -> Tensor:
    """(N, N): an edge wherever either crop is among the other's k nearest; weight 1/(1 + ‖h_i − h_j‖).

    Args:
        h: (N, dim), unit L2 norm; anything below float32 is raised to it.
        k: neighbours of each crop, itself not counted; at most N − 1 are taken.
    """
    h = _at_least_float32(h.detach())
    n = len(h)
    # Representations share a large mean; without it the distances of close crops keep more digits.
    centred = h - h.mean(dim=0)
    affinity = (1 / (1 + torch.cdist(centred, centred))).fill_diagonal_(-torch.inf)
    weight, neighbour = affinity.topk(min(k, n - 1), dim=1)
    directed = torch.zeros_like(affinity).scatter_(1, neighbour, weight)
    return torch.maximum(directed, directed.T)


class Prototypes(nn.Module):
    """P learned directions that crops are compared with.

    "Weight-normalised" is taken as unit norm with no learned length, so a logit is a cosine in −1…1 and the
    published ε and temperature set the only scale there is (ours; the choice of SwAV, whose codes these are).
    Directions are born at unit length: how far a step turns one falls with its length, and at the length √dim of
    normal draws they stand still for thousands of steps.

    Args:
        feature_dim: length of a representation.
        count: P.
        centred: compare what crops differ in: each representation less the batch's mean, at unit norm again (ours).
            Features after a ReLU are all positive, so without this their cosines with any direction are alike.
    """

    def __init__(self, feature_dim: int, count: int = PROTOTYPES, *, centred: bool = False) -> None:
        super().__init__()
        self.centred = centred
        self.directions = nn.Parameter(functional.normalize(torch.randn(count, feature_dim), dim=1))

    def forward(self, h: Tensor) -> Tensor:
        """(N, dim) unit norm → (N, P) logits ℓ in −1…1, at least float32."""
        h = _at_least_float32(h)
        if self.centred:
            h = functional.normalize(h - h.mean(dim=0), dim=1)
        return h @ functional.normalize(self.directions, dim=1).to(h.dtype).T


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


@torch.no_grad()
def prototype_affinity(log_p: Tensor, edges_per_node: int = PROTOTYPE_EDGES_PER_NODE) -> Tensor:
    """(N, N): crops that lie alike among the prototypes; weight 0…1.

    The affinity of i to j is the mean over prototypes of p_j·log p_i. It differs from that of j to i; their
    average is taken, then scaled so that the least of all pairs i < j is 0 and the greatest 1 (all 0 if equal).

    Args:
        log_p: (N, P), log p, rows of p sum to 1.
        edges_per_node: the edges_per_node·N strongest pairs i < j stay, a pair counted once (ours: the paper
            counts entries); among equals the first in the order of (i, j) do.
    """
    log_p = _at_least_float32(log_p.detach())
    n, prototypes = log_p.shape
    one_way = log_p @ log_p.exp().T / prototypes
    i, j = torch.triu_indices(n, n, 1, device=log_p.device)
    affinity = (one_way + one_way.T)[i, j] / 2
    if n > 1:
        affinity = affinity - affinity.min()
        affinity = affinity / affinity.max().clamp(min=torch.finfo(affinity.dtype).tiny)
    weight, kept = affinity.sort(descending=True, stable=True)
    weight, kept = weight[: edges_per_node * n], kept[: edges_per_node * n]
    graph = log_p.new_zeros(n, n)
    graph[i[kept], j[kept]] = weight
    return graph + graph.T


def alignment_gain(log_p: Tensor, codes: Tensor, same_degradation: Graph) -> Tensor:
    """How well p agrees with the codes: mean of q_i·log p_i plus mean of q_i·log p_j over like-distorted crops.

    · sums over prototypes. Each edge {i, j} counts in both directions; with no edge its mean is 0. The
    gradient reaches log p, never the codes.

    Args:
        log_p: (N, P).
        codes: q (N, P) from `sinkhorn`.
        same_degradation: graph over the same N crops; its weights play no part.

    Returns:
        Scalar ≤ 0; the alignment loss is −½·coefficient·gain.
    """
    codes = codes.detach()
    own = (codes * log_p).sum(1).mean()
    i, j = same_degradation.index
    crossed = (codes[i] * log_p[j] + codes[j] * log_p[i]).sum() / max(2 * len(i), 1)
    return own + crossed


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
