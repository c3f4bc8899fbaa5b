"""Several graphs become their weighted sum."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.relations.fusion import BranchWeights, fuse


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
    for graph, factor in zip(graphs, factors.tolist(), strict=True):
        expected += factor * graph
    torch.testing.assert_close(fused, expected)
    assert torch.equal(fused > 0, sum(graphs) > 0)


def test_branch_weights_are_a_distribution_that_follows_the_order_of_the_branches() -> None:
    torch.manual_seed(0)
    weigh = BranchWeights()
    graphs = torch.stack([random_graph(1, 9, 0.1), random_graph(2, 9, 0.6), torch.zeros(9, 9)])

    weights = weigh(graphs)

    assert weights.sum().item() == pytest.approx(1)
    assert (weights > 0).all()
    assert weights.unique().numel() == 3
    torch.testing.assert_close(weigh(graphs.flip(0)), weights.flip(0))


def test_branches_with_the_same_statistics_weigh_the_same() -> None:
    graph = random_graph(1, 9, 0.3)
    other = graph.roll((2, 2), dims=(0, 1))  # the same edges between other crops

    assert BranchWeights()(torch.stack([graph, other])).tolist() == pytest.approx([0.5, 0.5])


def test_no_branch_takes_everything_however_large_the_batch() -> None:
    dense = torch.ones(1500, 1500).fill_diagonal_(0)
    sparse = random_graph(0, 1500, 1e-5)

    for seed in range(20):
        torch.manual_seed(seed)
        assert BranchWeights()(torch.stack([dense, sparse])).max() < 0.9


def test_branch_weights_are_drawn_from_the_seed_saved_and_never_trained() -> None:
    torch.manual_seed(3)
    first = BranchWeights()
    torch.manual_seed(3)
    again = BranchWeights()
    restored = BranchWeights()
    restored.load_state_dict(first.state_dict())
    graphs = torch.stack([random_graph(1, 9, 0.1), random_graph(2, 9, 0.6)])

    assert torch.equal(first(graphs), again(graphs))
    assert torch.equal(first(graphs), restored(graphs))
    assert not first(graphs).requires_grad
    assert not any(parameter.requires_grad for parameter in first.parameters())
