"""Several graphs over the same crops become one (SHAMISA, arXiv 2603.13669, graph fusion).

Here a graph is its symmetric (N, N) matrix of weights ≥ 0 with a zero diagonal, where 0 is no edge: every shape is
then known beforehand, so that no GPU has to be asked how many edges it found.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

HIDDEN_UNITS = 16  # ours: the paper names an MLP without its width


class BranchWeights(nn.Module):
    """How much each branch counts, read from how many edges it has and how heavy they are.

    One small MLP, the same for all branches, gives each a logit; a softmax over the branches that are present
    makes the weights. The paper stops the gradient here, so the MLP keeps the values it is born with (drawn
    from torch's generator); its parameters are saved with the rest and ask for no gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2, HIDDEN_UNITS), nn.ReLU(), nn.Linear(HIDDEN_UNITS, 1))
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, graphs: Tensor) -> Tensor:
        """(K, N, N), K ≥ 1 graphs, to (K,) weights > 0 that sum to 1."""
        logits: Tensor = self.mlp(_statistics(graphs).to(next(self.mlp.parameters()).dtype))
        return logits[:, 0].softmax(0)


def fuse(graphs: Tensor, factors: Tensor) -> Tensor:
    """(N, N), the weighted sum of (K, N, N) graphs by (K,) factors ≥ 0 (paper: branch weight · coefficient)."""
    return (factors.to(graphs.dtype)[:, None, None] * graphs).sum(dim=0)


def _statistics(graphs: Tensor) -> Tensor:
    """(K, 2) edge count and weight sum as log(1 + x), each divided by its value for the complete graph (ours).

    Both lie in 0…1 whatever the batch size; raw counts in the thousands would saturate the softmax.
    """
    pairs = graphs.shape[1] * (graphs.shape[1] - 1) / 2
    counts = (graphs > 0).sum(dim=(1, 2), dtype=graphs.dtype)
    sums = graphs.sum(dim=(1, 2))
    return (torch.stack([counts, sums], dim=1) / 2).log1p() / math.log1p(max(pairs, 1))
