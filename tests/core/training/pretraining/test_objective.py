"""The objective against plain double-precision arithmetic, term by term."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shamisa_cli.core.errors import TrainingError
from shamisa_cli.core.graphs.crops import crop_table
from shamisa_cli.core.graphs.relation_graph import RelationOutput
from shamisa_cli.core.training.pretraining.objective import (
    LossTerms,
    ObjectiveCoefficients,
    covariance,
    halves,
    invariance,
    objective,
    variance,
)

N, D = 11, 4
REFERENCES = 4


@pytest.fixture
def z() -> torch.Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.7 + 0.3


@pytest.fixture
def graph() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(N, N, generator=generator, dtype=torch.float64)
    return (weights * (torch.rand(N, N, generator=generator) < 0.5)).triu(1)


def related(graph: torch.Tensor, alignment: torch.Tensor) -> RelationOutput:
    return RelationOutput(graph, alignment, torch.ones(1), {})


def expected_variance(rows: np.ndarray) -> float:
    shortfalls = []
    for column in rows.T:
        mean = sum(column) / len(column)
        spread = sum((value - mean) ** 2 for value in column) / (len(column) - 1)
        shortfalls.append(max(0.0, 1 - (spread + 1e-4) ** 0.5))
    return sum(shortfalls) / len(shortfalls) / 2


def expected_covariance(rows: np.ndarray) -> float:
    matrix = np.cov(rows, rowvar=False)
    return sum(matrix[a, b] ** 2 for a in range(D) for b in range(D) if a != b) / D


def expected_invariance(rows: np.ndarray, graph: torch.Tensor, alignment: float, sparsity: float) -> float:
    dense = graph.numpy()
    pull = push = 0.0
    for i in range(N):
        for j in range(i + 1, N):
            pull += dense[i, j] * float(np.sum((rows[i] - rows[j]) ** 2))
            push += dense[i, j] ** 2
    return 2 * (pull / (N * D) + alignment - sparsity * push)


def test_each_term_has_the_value_of_its_formula(z: torch.Tensor, graph: torch.Tensor) -> None:
    rows = z.numpy()

    assert variance(z).item() == pytest.approx(expected_variance(rows), rel=1e-12)
    assert covariance(z).item() == pytest.approx(expected_covariance(rows), rel=1e-12)
    value = invariance(z, graph, torch.tensor(0.8, dtype=torch.float64), 0.05)
    assert value.item() == pytest.approx(expected_invariance(rows, graph, 0.8, 0.05), rel=1e-12)


def test_the_loss_is_the_published_sum_over_both_halves(z: torch.Tensor, graph: torch.Tensor) -> None:
    rows = z.numpy()
    first, second = rows[[0, 1, 4, 5, 6]], rows[[2, 3, 7, 8, 9, 10]]
    spread = expected_variance(first) + expected_variance(second)
    overlap = expected_covariance(first) + expected_covariance(second)
    distance = expected_invariance(z.numpy(), graph, 0.8, 0.0342)

    terms = objective(z, related(graph, torch.tensor(0.8, dtype=torch.float64)), REFERENCES)

    assert terms.variance.item() == pytest.approx(spread, rel=1e-12)
    assert terms.covariance.item() == pytest.approx(overlap, rel=1e-12)
    assert terms.invariance.item() == pytest.approx(distance, rel=1e-12)
    assert terms.alignment.item() == 0.8
    assert terms.total.item() == pytest.approx(11.976 * spread + 88.369 * distance + 57.212 * overlap, rel=1e-12)


def test_other_coefficients_are_used_when_given(z: torch.Tensor, graph: torch.Tensor) -> None:
    alignment = torch.tensor(0.8, dtype=torch.float64)

    terms = objective(z, related(graph, alignment), REFERENCES, ObjectiveCoefficients(2.0, 3.0, 5.0, sparsity=0.5))

    assert terms.invariance.item() == pytest.approx(expected_invariance(z.numpy(), graph, 0.8, 0.5), rel=1e-12)
    parts = 2 * terms.variance + 3 * terms.invariance + 5 * terms.covariance
    assert terms.total.item() == pytest.approx(parts.item())


def test_the_gradient_is_the_slope_of_the_loss(z: torch.Tensor, graph: torch.Tensor) -> None:
    alignment = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)

    def loss(z: torch.Tensor, alignment: torch.Tensor) -> torch.Tensor:
        return objective(z, related(graph, alignment), REFERENCES).total

    assert torch.autograd.gradcheck(loss, (z.requires_grad_(), alignment))


def test_related_crops_are_drawn_together_and_others_left_alone() -> None:
    z = torch.tensor([[0.0, 0.0], [2.0, 0.0], [5.0, 5.0], [9.0, 1.0]], requires_grad=True)
    graph = torch.zeros(4, 4)
    graph[0, 1] = 0.5

    invariance(z, graph, torch.zeros(())).backward()

    expected = torch.zeros(4, 2)
    expected[1, 0] = 2 * 0.5 * 2 * 2 / 8  # 2·G·2·(z_1 − z_0)/(N·D)
    expected[0, 0] = -expected[1, 0]
    torch.testing.assert_close(z.grad, expected)


def test_a_large_common_offset_does_not_drown_small_distances(graph: torch.Tensor) -> None:
    small = torch.randn(N, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.01
    exact = invariance(small, graph, torch.zeros((), dtype=torch.float64), 0.0)

    shifted = invariance((small + 100).float(), graph, torch.zeros(()), 0.0)

    assert shifted.item() == pytest.approx(exact.item(), rel=1e-2)


def test_projections_with_spread_and_no_overlap_cost_nothing() -> None:
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])

    assert variance(2 * signs) == 0
    assert covariance(2 * signs) == 0


def test_collapsed_projections_cost_the_whole_hinge_and_have_a_finite_gradient() -> None:
    z = torch.ones(8, 3, requires_grad=True)

    terms = objective(z, related(torch.zeros(8, 8), torch.zeros(())), 2)
    terms.total.backward()

    assert terms.variance.item() == pytest.approx(1 - 0.01)
    assert terms.invariance.item() == terms.covariance.item() == 0
    assert torch.isfinite(z.grad).all()


def test_with_two_samples_each_half_is_the_rows_of_one() -> None:
    nodes = crop_table(torch.rand(2, 2, 3), photos=2, scales=1)

    first, second = halves(nodes.sample[:, None], references=4)

    assert first.unique().tolist() == [0]
    assert second.unique().tolist() == [1]
    assert len(first) == len(second) == 14


def test_the_gradient_reaches_the_edge_weights(z: torch.Tensor, graph: torch.Tensor) -> None:
    graph.requires_grad_()

    invariance(z, graph, torch.zeros((), dtype=torch.float64), 0.05).backward()

    for i, j in ((0, 1), (3, 9), (2, 10)):
        distance = float(((z[i] - z[j]) ** 2).sum())
        slope = 2 * (distance / (N * D) - 0.05 * 2 * graph[i, j].item())
        assert graph.grad[i, j].item() == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_projections_are_summed_in_float32(
    z: torch.Tensor, graph: torch.Tensor, dtype: torch.dtype
) -> None:
    narrow, graph = z.to(dtype), graph.float()
    alignment = torch.tensor(0.8)

    terms = objective(narrow, related(graph, alignment), REFERENCES)

    exact = objective(narrow.double(), related(graph, alignment), REFERENCES)
    for name in LossTerms.__dataclass_fields__:
        term = getattr(terms, name)
        assert term.dtype == torch.float32
        assert term.item() == pytest.approx(getattr(exact, name).item(), rel=1e-5)


def test_autocast_changes_nothing(z: torch.Tensor, graph: torch.Tensor) -> None:
    z, graph = z.float(), graph.float()
    plain = objective(z, related(graph, torch.tensor(0.8)), REFERENCES)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = objective(z, related(graph, torch.tensor(0.8)), REFERENCES)

    assert mixed.total == plain.total


@pytest.mark.parametrize("crops", [3, N - 1])
def test_too_few_crops_or_another_batch_are_refused(crops: int, z: torch.Tensor, graph: torch.Tensor) -> None:
    relations = related(torch.zeros(3, 3) if crops == 3 else graph, torch.zeros(()))

    with pytest.raises(TrainingError, match=f"{crops} projections"):
        objective(z[:crops], relations, 1)
