"""A graph is undirected, free of self loops, and holds each edge once, whatever it is made from."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.graphs.sparse import SparseGraph

NODES = 6
edge_lists = st.lists(
    st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1), st.integers(0, 40).map(lambda w: w / 8)),
    max_size=40,
)


def graph_of(edges: list[tuple[int, int, float]]) -> SparseGraph:
    i, j, weight = ([edge[part] for edge in edges] for part in range(3))
    return SparseGraph.from_edges(
        torch.tensor(i, dtype=torch.int64),
        torch.tensor(j, dtype=torch.int64),
        torch.tensor(weight, dtype=torch.float32),
        NODES,
    )


@settings(deadline=None, max_examples=60)
@given(edge_lists)
def test_any_list_of_edges_becomes_one_weight_per_pair(edges: list[tuple[int, int, float]]) -> None:
    expected: dict[tuple[int, int], float] = {}
    for i, j, weight in edges:
        if i != j:
            pair = (min(i, j), max(i, j))
            expected[pair] = max(expected.get(pair, 0.0), weight)

    graph = graph_of(edges)

    assert [tuple(pair) for pair in graph.index.T.tolist()] == sorted(expected)
    assert graph.weight.tolist() == [expected[pair] for pair in sorted(expected)]
    dense = graph.to_dense()
    assert torch.equal(dense, dense.T)
    assert dense.diagonal().sum() == 0
    assert dense.sum() == pytest.approx(2 * sum(expected.values()))


@settings(deadline=None, max_examples=60)
@given(edge_lists, st.integers(1, 20))
def test_the_strongest_edges_stay_and_ties_go_to_the_first(edges: list[tuple[int, int, float]], keep: int) -> None:
    graph = graph_of(edges)
    ranked = sorted(
        zip(graph.index.T.tolist(), graph.weight.tolist(), strict=True), key=lambda edge: (-edge[1], edge[0])
    )

    kept = graph.strongest(keep)

    pairs = list(zip(kept.index.T.tolist(), kept.weight.tolist(), strict=True))
    assert pairs == sorted(ranked[:keep])


def test_an_empty_graph_has_nodes_and_no_edges() -> None:
    graph = SparseGraph.empty(4)

    assert graph.edge_count == 0
    assert torch.equal(graph.to_dense(), torch.zeros(4, 4))
    assert graph.strongest(3).edge_count == 0


def test_edges_and_weights_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2,\)"):
        SparseGraph(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2), 4)
