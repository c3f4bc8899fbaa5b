"""Several graphs become their weighted sum."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.relations.fusion import BranchWeights, fuse
from shamisa_cli.core.relations.graph import Graph


def random_graph(seed: int, size: int, edges: int) -> Graph:
    generator = torch.Generator().manual_seed(seed)
    i, j = torch.randint(size, (2, edges), generator=generator)
    return Graph.from_edges(i, j, torch.rand(edges, generator=generator), size)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 30)), min_size=1, max_size=5), st.integers(2, 9))
def test_fusion_is_the_weighted_sum_of_dense_graphs(recipes: list[tuple[int, int]], size: int) -> None:
    graphs = [random_graph(seed, size, edges) for seed, edges in recipes]
    weights = torch.rand(len(graphs), generator=torch.Generator().manual_seed(0))
    coefficients = [0.1 * (k + 1) for k in range(len(graphs))]

    fused = fuse(graphs, weights, coefficients)

    expected = torch.zeros(size, size)
    for graph, weight, coefficient in zip(graphs, weights.tolist(), coefficients, strict=True):
        expected += weight * coefficient * graph.to_dense()
    torch.testing.assert_close(fused.to_dense(), expected)
    assert fused.edge_count == (sum(graph.to_dense() for graph in graphs) > 0).sum() / 2


def test_branch_weights_are_a_distribution_that_follows_the_order_of_the_branches() -> None:
    torch.manual_seed(0)
    weigh = BranchWeights()
    graphs = [random_graph(1, 9, 4), random_graph(2, 9, 25), Graph.empty(9)]

    weights = weigh(graphs)

    assert weights.sum().item() == pytest.approx(1)
    assert (weights > 0).all()
    assert weights.unique().numel() == 3
    torch.testing.assert_close(weigh(graphs[::-1]), weights.flip(0))


def test_branches_with_the_same_statistics_weigh_the_same() -> None:
    one, other = random_graph(1, 9, 12), random_graph(1, 9, 12)

    assert BranchWeights()([one, other]).tolist() == pytest.approx([0.5, 0.5])


def test_no_branch_takes_everything_however_large_the_batch() -> None:
    dense = Graph(torch.triu_indices(1500, 1500, 1), torch.ones(1500 * 1499 // 2), 1500)
    sparse = random_graph(0, 1500, 10)

    for seed in range(20):
        torch.manual_seed(seed)
        assert BranchWeights()([dense, sparse]).max() < 0.9


def test_branch_weights_are_drawn_from_the_seed_saved_and_never_trained() -> None:
    torch.manual_seed(3)
    first = BranchWeights()
    torch.manual_seed(3)
    again = BranchWeights()
    restored = BranchWeights()
    restored.load_state_dict(first.state_dict())
    graphs = [random_graph(1, 9, 4), random_graph(2, 9, 25)]

    assert torch.equal(first(graphs), again(graphs))
    assert torch.equal(first(graphs), restored(graphs))
    assert not first(graphs).requires_grad
    assert not any(parameter.requires_grad for parameter in first.parameters())
