"""The structure graphs against plain loops in double precision, written from the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from shamisa_cli.core.graphs.sparse import SparseGraph
from shamisa_cli.core.graphs.structure import (
    Prototypes,
    alignment_gain,
    nearest_neighbours,
    prototype_affinity,
    sinkhorn,
)

few = settings(deadline=None, max_examples=12)
seeds = st.integers(0, 2**31 - 1)


def random(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def log_probabilities(seed: int, n: int, prototypes: int) -> torch.Tensor:
    return (3 * random(seed, n, prototypes)).log_softmax(1)


@few
@given(seeds, st.integers(1, 14), st.integers(1, 20))
def test_neighbours_of_both_directions_are_added(seed: int, n: int, k: int) -> None:
    h = normalize(random(seed, n, 5, dtype=torch.float64), dim=1)
    points = h.numpy()
    distance = [[float(np.linalg.norm(a - b)) for b in points] for a in points]
    near = [set(sorted((j for j in range(n) if j != i), key=lambda j: distance[i][j])[:k]) for i in range(n)]
    expected = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        for j in range(n):
            expected[i, j] = ((j in near[i]) + (i in near[j])) / (1 + distance[i][j])

    graph = nearest_neighbours(h, k)

    torch.testing.assert_close(graph, expected, rtol=1e-9, atol=0)


def test_neighbours_count_31_each_by_default() -> None:
    graph = nearest_neighbours(normalize(random(0, 80, 16), dim=1))

    assert (graph > 0).sum(1).min() >= 31
    assert not graph.diagonal().any()


def test_neighbour_weights_carry_the_gradient_of_their_formula() -> None:
    h = normalize(random(0, 9, 4, dtype=torch.float64), dim=1).requires_grad_()
    factors = random(1, 9, 9, dtype=torch.float64)

    def weighted(h: torch.Tensor) -> torch.Tensor:
        return (factors * nearest_neighbours(h, 3)).sum()

    assert torch.autograd.grad(weighted(h), h)[0].abs().max() > 1e-3
    assert torch.autograd.gradcheck(weighted, h)


def test_crops_that_coincide_have_a_finite_gradient() -> None:
    h = normalize(torch.ones(6, 8), dim=1).requires_grad_()

    nearest_neighbours(h, 3).sum().backward()

    assert torch.isfinite(h.grad).all()


def test_a_mutual_pair_that_looks_the_same_has_affinity_one_in_each_direction() -> None:
    crowd = normalize(torch.ones(6, 512) + 1e-3 * random(0, 6, 512), dim=1)
    crowd[3] = crowd[1]

    graph = nearest_neighbours(crowd, 5)

    assert graph[1, 3].item() == pytest.approx(2.0, abs=1e-4)


def test_half_precision_representations_give_nearly_the_same_neighbours() -> None:
    h = normalize(random(0, 40, 64), dim=1)

    half = nearest_neighbours(h.bfloat16(), 39)

    assert half.dtype == torch.float32
    torch.testing.assert_close(half, nearest_neighbours(h, 39), rtol=5e-3, atol=0)


def test_a_prototype_logit_is_a_cosine_times_the_learned_length() -> None:
    torch.manual_seed(0)
    prototypes = Prototypes(7, 5)
    h = normalize(random(1, 4, 7), dim=1)
    with torch.no_grad():
        prototypes.lengths.copy_(torch.arange(1.0, 6.0))

    logits = prototypes(h)

    for i in range(4):
        for p in range(5):
            cosine = torch.nn.functional.cosine_similarity(h[i], prototypes.directions[p], dim=0)
            assert logits[i, p].item() == pytest.approx((p + 1) * cosine.item(), abs=1e-5)


def test_centred_prototypes_see_what_crops_differ_in() -> None:
    torch.manual_seed(0)
    prototypes = Prototypes(7, 5, centred=True)
    differences = random(1, 4, 7)
    differences -= differences.mean(dim=0)
    alike = 100 + differences  # nearly the same direction

    logits = prototypes(alike)

    for i in range(4):
        cosines = torch.nn.functional.cosine_similarity(differences[i : i + 1], prototypes.directions, dim=1)
        torch.testing.assert_close(logits[i], cosines * prototypes.lengths, rtol=1e-3, atol=1e-4)


def test_prototypes_are_born_near_a_length_of_058_as_a_linear_layers_weights() -> None:
    prototypes = Prototypes(2048, 32)

    torch.testing.assert_close(prototypes.lengths, torch.full((32,), 3**-0.5), rtol=0.05, atol=0)
    torch.testing.assert_close(prototypes.directions.norm(dim=1), prototypes.lengths)


def test_only_the_learned_length_counts_not_that_of_the_direction() -> None:
    prototypes = Prototypes(7, 5)
    h = normalize(random(1, 4, 7), dim=1)
    before = prototypes(h)

    with torch.no_grad():
        prototypes.directions *= 9

    torch.testing.assert_close(prototypes(h), before)


@few
@given(seeds, st.integers(2, 12), st.integers(2, 6), st.integers(1, 6))
def test_codes_are_those_of_plain_alternating_scaling(seed: int, n: int, prototypes: int, rounds: int) -> None:
    logits = random(seed, n, prototypes).tanh()
    q = np.exp(logits.double().numpy() / 0.05)
    for _ in range(rounds):
        q /= q.sum(axis=0, keepdims=True)
        q /= q.sum(axis=1, keepdims=True)

    codes = sinkhorn(logits, rounds=rounds)

    torch.testing.assert_close(codes.double(), torch.from_numpy(q), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(codes.sum(1), torch.ones(n), rtol=1e-5, atol=0)


def test_codes_take_six_rounds_at_the_published_epsilon() -> None:
    logits = random(0, 9, 5).tanh()

    assert torch.equal(sinkhorn(logits), sinkhorn(logits, epsilon=0.05, rounds=6))
    assert not torch.equal(sinkhorn(logits), sinkhorn(logits, rounds=5))


def test_after_enough_rounds_all_prototypes_are_used_alike() -> None:
    codes = sinkhorn(0.2 * random(0, 64, 8), rounds=60)

    torch.testing.assert_close(codes.sum(0), torch.full((8,), 8.0), rtol=1e-3, atol=0)


def test_codes_follow_crops_and_prototypes_when_these_are_reordered() -> None:
    logits = random(0, 9, 5).tanh()
    crops, prototypes = torch.randperm(9), torch.randperm(5)

    torch.testing.assert_close(sinkhorn(logits[crops][:, prototypes]), sinkhorn(logits)[crops][:, prototypes])


def test_codes_of_extreme_logits_are_finite_and_carry_no_gradient() -> None:
    logits = (1e4 * random(0, 9, 5)).requires_grad_()

    codes = sinkhorn(logits)

    assert torch.isfinite(codes).all()
    assert not codes.requires_grad
    torch.testing.assert_close(codes.sum(1), torch.ones(9))


@few
@given(seeds, st.integers(1, 12), st.integers(2, 5), st.integers(1, 3), st.sampled_from(["batch", "row"]))
def test_prototype_affinity_keeps_the_strongest_directed_entries(
    seed: int, n: int, prototypes: int, per_crop: int, reach: str
) -> None:
    log_p = log_probabilities(seed, n, prototypes).double()
    exact = log_p.numpy()
    affinity = {
        (i, j): sum(math.exp(exact[j, k]) * exact[i, k] for k in range(prototypes)) / prototypes
        for i in range(n)
        for j in range(n)
    }
    low, high = min(affinity.values()), max(affinity.values())
    scaled = {pair: (value - low) / (high - low) if high > low else 0.0 for pair, value in affinity.items()}
    strongest = sorted(scaled, key=lambda pair: -scaled[pair])
    if reach == "batch":
        kept = strongest[: per_crop * n]
    else:
        kept = [pair for i in range(n) for pair in [pair for pair in strongest if pair[0] == i][:per_crop]]

    graph = prototype_affinity(log_p, per_crop, reach)

    dense = torch.zeros(n, n, dtype=torch.float64)
    for i, j in kept:
        dense[i, j] = scaled[i, j]
    torch.testing.assert_close(graph, dense, rtol=1e-9, atol=1e-9)


def test_crops_all_alike_among_prototypes_have_affinity_zero_not_nan() -> None:
    graph = prototype_affinity(torch.full((5, 4), 0.25).log())

    assert torch.equal(graph, torch.zeros(5, 5))


def test_prototype_affinity_keeps_eight_entries_a_crop_the_diagonal_among_them() -> None:
    graph = prototype_affinity(log_probabilities(0, 60, 32))

    assert (graph > 0).sum() == 8 * 60
    assert graph.diagonal().any()
    assert not torch.equal(graph, graph.T), "the entries are directed"
    assert graph.max() == 1.0


@pytest.mark.parametrize("reach", ["batch", "row"])
def test_prototype_weights_carry_the_gradient_of_their_formula(reach: str) -> None:
    logits = random(0, 9, 4, dtype=torch.float64).requires_grad_()
    factors = random(1, 9, 9, dtype=torch.float64)

    def weighted(logits: torch.Tensor) -> torch.Tensor:
        return (factors * prototype_affinity(logits.log_softmax(1), 2, reach)).sum()

    assert torch.autograd.grad(weighted(logits), logits)[0].abs().max() > 1e-3
    assert torch.autograd.gradcheck(weighted, logits)


def test_alignment_is_the_mean_over_crops_or_pairs_and_over_prototypes() -> None:
    log_p, codes = log_probabilities(0, 5, 3), log_probabilities(1, 5, 3).exp()
    pairs = [(0, 2), (1, 4), (2, 3)]
    graph = SparseGraph(torch.tensor(pairs).T, torch.tensor([0.1, 1.0, 0.7]), 5)

    def agreement(i: int, j: int) -> float:
        return sum(codes[i, k].item() * log_p[j, k].item() for k in range(3))

    own = sum(agreement(i, i) for i in range(5)) / 5 / 3
    crossed = sum(agreement(i, j) + agreement(j, i) for i, j in pairs) / 6 / 3

    assert alignment_gain(log_p, codes, graph).item() == pytest.approx(own + crossed, rel=1e-5)
    assert alignment_gain(log_p, codes, SparseGraph.empty(5)).item() == pytest.approx(own, rel=1e-5)


def test_alignment_teaches_the_probabilities_and_never_the_codes() -> None:
    log_p = log_probabilities(0, 5, 3).requires_grad_()
    codes = log_probabilities(1, 5, 3).exp().requires_grad_()

    alignment_gain(log_p, codes, SparseGraph.empty(5)).backward()

    assert codes.grad is None
    torch.testing.assert_close(log_p.grad, codes.detach() / 15)
