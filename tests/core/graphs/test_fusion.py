"""Several graphs become their weighted sum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.graphs.fusion import BranchWeights, branch_statistics, fuse


def random_graph(seed: int, size: int, share: float) -> torch.Tensor:
    """Symmetric, with about this share of all pairs tied."""
    generator = torch.Generator().manual_seed(seed)
    tied = torch.rand(size, size, generator=generator) < share
    half = (torch.rand(size, size, generator=generator) * tied).triu(1)
    return half + half.T


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 999), st.floats(0, 1)), min_size=1, max_size=5), st.integers(2, 9))
def test_fusion_is_the_weighted_sum_of_graphs(recipes: list[tuple[int, float]], size: int) -> None:
    graphs = [random_graph(seed, size, share) for seed, share in recipes]
    factors = torch.rand(len(graphs), generator=torch.Generator().manual_seed(0))

    fused = fuse(torch.stack(graphs), factors)

    expected = torch.zeros(size, size)
    for i in range(size):
        for j in range(i + 1, size):
            expected[i, j] = sum(factor * graph[i, j] for graph, factor in zip(graphs, factors.tolist(), strict=True))
    torch.testing.assert_close(fused, expected)


def test_an_entry_below_the_diagonal_is_dropped_not_averaged() -> None:
    directed = torch.zeros(1, 3, 3)
    directed[0, 2, 0], directed[0, 0, 1], directed[0, 1, 1] = 1.0, 0.5, 1.0

    assert fuse(directed, torch.ones(1)).nonzero().tolist() == [[0, 1]]


def test_statistics_are_the_raw_counts_and_sums_of_directed_entries() -> None:
    graph = torch.zeros(2, 3, 3)
    graph[0, 0, 1] = graph[0, 1, 0] = 0.25
    graph[1, 2, 2], graph[1, 0, 2] = 1.0, 0.5

    assert branch_statistics(graph).tolist() == [2.0, 0.5, 2.0, 1.5]


def test_branch_weights_are_those_of_one_joint_network_with_layer_norms() -> None:
    torch.manual_seed(0)
    weigh = BranchWeights(3).double()
    graphs = torch.stack([random_graph(1, 9, 0.1), random_graph(2, 9, 0.6), torch.zeros(9, 9)]).double()
    state = {name: value.numpy() for name, value in weigh.state_dict().items()}

    def normalised(x: np.ndarray, layer: int) -> np.ndarray:
        spread = np.sqrt(x.var() + 1e-5)
        return (x - x.mean()) / spread * state[f"mlp.{layer}.weight"] + state[f"mlp.{layer}.bias"]

    rows = [(float((graph > 0).sum()), float(graph.sum())) for graph in graphs]
    hidden = state["mlp.1.weight"] @ normalised(np.array(rows).reshape(-1), 0) + state["mlp.1.bias"]
    hidden = np.where(hidden > 0, hidden, state["mlp.2.weight"][0] * hidden)
    logits = state["mlp.4.weight"] @ normalised(hidden, 3) + state["mlp.4.bias"]
    expected = np.exp(logits) / np.exp(logits).sum()

    assert state["mlp.1.weight"].shape == (12, 6), "2·2K hidden units on 2K statistics"
    assert weigh(graphs).tolist() == pytest.approx(expected.tolist(), rel=1e-9)


def test_no_branch_takes_everything_however_large_the_batch() -> None:
    dense = torch.ones(1500, 1500).fill_diagonal_(0)
    sparse = random_graph(0, 1500, 1e-5)

    for seed in range(20):
        torch.manual_seed(seed)
        assert BranchWeights(2)(torch.stack([dense, sparse])).max() < 0.95


def test_trained_branch_weights_pass_the_gradient_to_their_network_and_to_the_graphs() -> None:
    weigh = BranchWeights(2, trained=True)
    graphs = torch.stack([random_graph(1, 9, 0.1), random_graph(2, 9, 0.6)]).requires_grad_()

    weigh(graphs)[0].backward()

    assert graphs.grad.abs().sum() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in weigh.parameters())


def test_branch_weights_are_drawn_from_the_seed_saved_and_never_trained() -> None:
    torch.manual_seed(3)
    first = BranchWeights(2)
    torch.manual_seed(3)
    again = BranchWeights(2)
    restored = BranchWeights(2)
    restored.load_state_dict(first.state_dict())
    graphs = torch.stack([random_graph(1, 9, 0.1), random_graph(2, 9, 0.6)])

    assert torch.equal(first(graphs), again(graphs))
    assert torch.equal(first(graphs), restored(graphs))
    assert not first(graphs).requires_grad
    assert not any(parameter.requires_grad for parameter in first.parameters())
