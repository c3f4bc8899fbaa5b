"""Fusion of several graphs over the same crops into one (SHAMISA, arXiv 2603.13669, graph fusion).

Here a graph is its (N, N) matrix of directed weights ≥ 0, where 0 is no edge: every shape is then known in advance,
so that nothing has to wait for a GPU to count edges.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN_PER_STATISTIC = 2  # hidden units for each of the 2K statistics (paper, graph fusion)


class BranchWeights(nn.Module):
    """Weights of the branches, predicted from the number of edges and the total weight of every branch.

    One MLP reads the 2K statistics of all K branches together: a layer norm, two linear layers with a PReLU and a
    layer norm between, K logits, softmax (paper, graph fusion). The paper stops the gradient at its output, so the
    MLP keeps its initial values (drawn from torch's generator); they are saved with the rest.

    Args:
        branches: K ≥ 1, how many graphs are weighed.
        trained: pass the gradient, which trains the MLP (ablation A4).
    """

    def __init__(self, branches: int, *, trained: bool = False) -> None:
        super().__init__()
        statistics = 2 * branches
        hidden = HIDDEN_PER_STATISTIC * statistics
        self.mlp = nn.Sequential(
            nn.LayerNorm(statistics),
            nn.Linear(statistics, hidden),
            nn.PReLU(),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, branches),
        )
        self.trained = trained
        self.requires_grad_(trained)

    def forward(self, graphs: Tensor) -> Tensor:
        """(K, N, N) graphs, each scaled by its coefficient, to (K,) weights > 0 that sum to 1."""
        with torch.set_grad_enabled(self.trained and torch.is_grad_enabled()):
            logits: Tensor = self.mlp(branch_statistics(graphs).to(next(self.mlp.parameters()).dtype))
            return logits.softmax(0)


def branch_statistics(graphs: Tensor) -> Tensor:
    """(K, N, N) to (2K,): edge count and weight sum of each graph, branch after branch, over its directed entries."""
    counts = (graphs > 0).sum(dim=(1, 2), dtype=graphs.dtype)
    return torch.stack([counts, graphs.sum(dim=(1, 2))], dim=1).flatten()


def fuse(graphs: Tensor, weights: Tensor) -> Tensor:
    """(N, N), the sum of (K, N, N) graphs weighted by (K,) factors ≥ 0, above the diagonal only.

    Only the entries above the diagonal enter the loss; those below are dropped, not averaged (paper, graph
    fusion).
    """
    return (weights.to(graphs.dtype)[:, None, None] * graphs).sum(dim=0).triu(1)
