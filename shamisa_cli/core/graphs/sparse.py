"""Sparse undirected graphs over the crops of a batch, and copies of them to a device.

The number of edges depends on the data, so graphs are built on the CPU, where reading it does not wait for a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SparseGraph:
    """Weighted edges {i, j}, each stored once: undirected and free of self loops by construction.

    Attributes:
        index: (2, E) int64; row 0 holds i, row 1 holds j, with i < j. Edges are sorted by (i, j) and no
            pair occurs twice.
        weight: (E,) floating point, ≥ 0.
        size: N, the number of nodes; nodes are 0…N−1.

    Use `from_edges` unless the edges are known to be in this form: a check would wait for the GPU.
    """

    index: Tensor
    weight: Tensor
    size: int

    def __post_init__(self) -> None:
        if self.index.ndim != 2 or self.index.shape[0] != 2 or self.weight.shape != self.index.shape[1:]:
            raise ValueError(
                f"A graph has edges of shape {tuple(self.index.shape)} and weights of shape "
                f"{tuple(self.weight.shape)}; they must be (2, E) and (E,)."
            )

    @property
    def edge_count(self) -> int:
        """E, the number of undirected edges."""
        return int(self.weight.shape[0])

    @classmethod
    def empty(cls, size: int, device: torch.device | str = "cpu") -> SparseGraph:
        """N nodes and no edge."""
        return cls(torch.empty(2, 0, dtype=torch.int64, device=device), torch.empty(0, device=device), size)

    @classmethod
    def from_edges(cls, i: Tensor, j: Tensor, weight: Tensor, size: int) -> SparseGraph:
        """Build a graph from any list of edges: self loops are dropped, (j, i) is the same edge as (i, j).

        An edge that occurs several times has the greatest of its weights.

        Args:
            i, j: (M,) int64, the two ends of each edge, 0…N−1, in any order and with repetitions.
            weight: (M,) floating point, ≥ 0.
            size: N.
        """
        apart = i != j
        i, j, weight = i[apart], j[apart], weight[apart]
        edges, place = torch.unique(torch.minimum(i, j) * size + torch.maximum(i, j), return_inverse=True)
        merged = weight.new_zeros(edges.shape).scatter_reduce(0, place, weight, "amax")
        return cls(torch.stack([edges // size, edges % size]), merged, size)

    def strongest(self, keep: int) -> SparseGraph:
        """The `keep` edges of greatest weight; among equal weights the first in edge order stay."""
        if self.edge_count <= keep:
            return self
        threshold = self.weight.topk(keep, sorted=False).values.min()
        above, tied = self.weight > threshold, self.weight == threshold
        kept = above | (tied & (tied.cumsum(0) <= keep - above.sum()))
        return SparseGraph(self.index[:, kept], self.weight[kept], self.size)

    def to(self, device: torch.device | str) -> SparseGraph:
        """The same graph on another device; a copy to a GPU is asynchronous."""
        return SparseGraph(_moved(self.index, device), _moved(self.weight, device), self.size)

    def to_dense(self) -> Tensor:
        """(N, N) symmetric adjacency matrix with a zero diagonal."""
        i, j = self.index
        matrix = self.weight.new_zeros(self.size, self.size)
        matrix[i, j] = self.weight
        matrix[j, i] = self.weight
        return matrix


def _moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    # Only copies from page-locked memory to a GPU are asynchronous.
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
