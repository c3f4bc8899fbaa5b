"""Several graphs over the same crops become one (SHAMISA, arXiv 2603.13669, graph fusion)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from shamisa_cli.core.relations.graph import Graph

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
    def forward(self, graphs: Sequence[Graph]) -> Tensor:
        """(K,) weights > 0 that sum to 1, in the order of the K ≥ 1 graphs."""
        logits: Tensor = self.mlp(torch.stack([_statistics(graph) for graph in graphs]))
        return logits[:, 0].softmax(0)


def fuse(graphs: Sequence[Graph], branch_weights: Tensor, coefficients: Sequence[float]) -> Graph:
    """The union of all edges: G = Σ_k branch_weight_k · coefficient_k · G_k.

    Args:
        graphs: K ≥ 1 graphs over the same N nodes, on one device.
        branch_weights: (K,) ≥ 0.
        coefficients: K numbers ≥ 0.
    """
    factors = branch_weights * branch_weights.new_tensor(list(coefficients))
    edges = torch.cat([graph.index for graph in graphs], dim=1)
    weight = torch.cat([factor * graph.weight for factor, graph in zip(factors, graphs, strict=True)])
    return Graph.from_edges(edges[0], edges[1], weight, graphs[0].size, merge="sum")


def _statistics(graph: Graph) -> Tensor:
    """(2,) edge count and weight sum as log(1 + x), each divided by its value for the complete graph (ours).

    Both lie in 0…1 whatever the batch size; raw counts in the thousands would saturate the softmax.
    """
    pairs = graph.size * (graph.size - 1) / 2
    count = torch.full_like(graph.weight.sum(), graph.edge_count)
    return torch.stack([count, graph.weight.sum()]).log1p() / math.log1p(max(pairs, 1))
