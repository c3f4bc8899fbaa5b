"""All branches of a batch together: what is on, what it weighs, and what learns from it."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from torch.nn.functional import normalize

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.graphs.crops import CropTable, crop_table
from shamisa_cli.core.graphs.relation_graph import (
    BRANCHES,
    COEFFICIENTS,
    RelationGraph,
    RelationOutput,
    RelationSettings,
)
from shamisa_cli.core.graphs.structure import sinkhorn

DIM = 12


@pytest.fixture(scope="module")
def nodes() -> CropTable:
    return crop_table(torch.rand(2, 2, 3, generator=torch.Generator().manual_seed(0)) * 4, 2, 2)


@pytest.fixture
def h(nodes: CropTable) -> torch.Tensor:
    return normalize(torch.randn(len(nodes), DIM, generator=torch.Generator().manual_seed(1)), dim=1)


def relate(nodes: CropTable, h: torch.Tensor, settings: RelationSettings | None = None) -> RelationOutput:
    torch.manual_seed(2)
    relations = RelationGraph(DIM, settings)
    output: RelationOutput = relations(nodes, h)
    return output


def test_the_fused_graph_is_the_sum_of_its_branches(nodes: CropTable, h: torch.Tensor) -> None:
    output = relate(nodes, h)

    assert tuple(output.branches) == BRANCHES
    assert output.branch_weights.sum().item() == pytest.approx(1)
    expected = sum(
        weight * COEFFICIENTS[name] * output.branches[name]
        for name, weight in zip(BRANCHES, output.branch_weights.tolist(), strict=True)
    )
    torch.testing.assert_close(output.graph, expected.triu(1))


def test_the_constants_are_the_published_ones() -> None:
    published = [0.601, 0.804, 0.577, 0.179, 0.209, 0.367]

    assert [RelationSettings().coefficients[name] for name in BRANCHES] == published
    assert RelationSettings().alignment == 0.4906
    assert RelationSettings().neighbours == 31
    assert RelationGraph(DIM).prototypes.directions.shape == (32, DIM)


def test_alignment_is_half_the_published_coefficient_times_the_disagreement(nodes: CropTable, h: torch.Tensor) -> None:
    torch.manual_seed(2)
    relations = RelationGraph(DIM)
    logits = relations.prototypes(h).detach()
    log_p = (logits / 0.1).log_softmax(1)
    scores = sinkhorn(logits) @ log_p.T  # q_i·log p_j
    like = relations(nodes, h).branches["same_degradation"] > 0

    expected = -0.5 * 0.4906 * (scores.diagonal().mean() + scores[like].mean()) / 32

    assert relations(nodes, h).alignment.item() == pytest.approx(expected.item(), rel=1e-5)


def test_alignment_and_structure_graphs_teach_and_branch_weights_do_not(nodes: CropTable, h: torch.Tensor) -> None:
    torch.manual_seed(2)
    relations = RelationGraph(DIM)
    h = h.requires_grad_()

    output = relations(nodes, h)
    output.alignment.backward()

    assert not output.branch_weights.requires_grad
    assert not any(parameter.requires_grad for parameter in relations.weigh.parameters())
    assert [name for name, graph in output.branches.items() if graph.requires_grad] == list(BRANCHES[4:])
    assert h.grad is not None
    assert h.grad.abs().sum() > 0
    assert relations.prototypes.directions.grad.abs().sum() > 0


def test_the_alignment_has_the_gradient_of_its_formula_with_codes_held_fixed(nodes: CropTable, h: torch.Tensor) -> None:
    torch.manual_seed(2)
    relations = RelationGraph(DIM).double()
    h = h.double().requires_grad_()
    relations(nodes, h).alignment.backward()
    output = relations(nodes, h.detach())
    i, j = output.branches["same_degradation"].triu().nonzero().T
    codes = sinkhorn(relations.prototypes(h.detach()))

    def loss(h: torch.Tensor) -> torch.Tensor:
        log_p = (relations.prototypes(h).detach() / 0.1).log_softmax(1)
        score = codes @ log_p.T
        return -0.5 * 0.4906 * (score.diagonal().mean() + torch.cat([score[i, j], score[j, i]]).mean()) / 32

    for row, column in ((0, 0), (5, 3), (len(h) - 1, DIM - 1)):
        step = torch.zeros_like(h)
        step[row, column] = 1e-5
        slope = (loss(h.detach() + step) - loss(h.detach() - step)) / 2e-5
        assert h.grad[row, column].item() == pytest.approx(slope.item(), rel=1e-4, abs=1e-11)


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_branch_that_is_off_leaves_no_trace(branch: str, nodes: CropTable, h: torch.Tensor) -> None:
    left = tuple(name for name in BRANCHES if name != branch)
    whole = relate(nodes, h)

    output = relate(nodes, h, RelationSettings(branches=left))

    assert tuple(output.branches) == left
    assert output.branch_weights.shape == (5,)
    for name in left:
        if name != "prototypes":  # born from another place of the generator, after a smaller network of weights
            torch.testing.assert_close(output.branches[name], whole.branches[name])
    assert (output.alignment == 0) == (branch == "prototypes")


def test_hardened_branches_weigh_all_their_edges_alike(nodes: CropTable, h: torch.Tensor) -> None:
    soft = relate(nodes, h)

    hard = relate(nodes, h, RelationSettings(hardened=True))

    for name in BRANCHES:
        assert torch.equal(hard.branches[name], (soft.branches[name] > 0).float())
    assert hard.alignment == soft.alignment


def test_without_weighting_the_coefficients_stand_alone(nodes: CropTable, h: torch.Tensor) -> None:
    output = relate(nodes, h, RelationSettings(branches=BRANCHES[:4], weighting="none"))

    assert output.branch_weights.tolist() == [1.0] * 4
    expected = sum(COEFFICIENTS[name] * output.branches[name] for name in BRANCHES[:4])
    torch.testing.assert_close(output.graph, expected.triu(1))


def test_branch_weights_are_read_from_graphs_scaled_by_their_coefficients(nodes: CropTable, h: torch.Tensor) -> None:
    torch.manual_seed(2)
    relations = RelationGraph(DIM)
    output = relations(nodes, h)

    scaled = torch.stack([COEFFICIENTS[name] * output.branches[name] for name in BRANCHES])

    torch.testing.assert_close(output.branch_weights, relations.weigh(scaled))


def test_the_gradient_reaches_the_representations_through_the_edge_weights(nodes: CropTable, h: torch.Tensor) -> None:
    torch.manual_seed(2)
    relations = RelationGraph(DIM).double()
    h = h.double().requires_grad_()
    factors = torch.rand(len(h), len(h), generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def weighted(h: torch.Tensor) -> torch.Tensor:
        output = relations(nodes, h)
        fixed = output.branch_weights.detach() * relations.coefficients
        structure = sum(f * output.branches[n] for f, n in zip(fixed[4:], BRANCHES[4:], strict=True))
        return (factors * structure.double()).sum()

    slope = torch.autograd.grad(weighted(h), h)[0]
    # Measured along the slope, where the single precision of the graphs drowns least.
    step = 1e-4 * slope / slope.norm()
    with torch.no_grad():
        measured = (weighted(h + step) - weighted(h - step)) / (2 * step.norm())
    assert measured.item() == pytest.approx(slope.norm().item(), rel=0.02)
    assert slope.norm() > 1


def test_the_decay_law_reaches_the_graphs(nodes: CropTable, h: torch.Tensor) -> None:
    output = relate(nodes, h, RelationSettings(decay="reciprocal"))

    graph = output.branches["reference_distorted"]
    i, j = graph.triu().nonzero().T
    torch.testing.assert_close(graph[i, j], 4 / (4 + nodes.severity[j]))


def test_the_same_batch_gives_the_same_graph_again(nodes: CropTable, h: torch.Tensor) -> None:
    first, again = relate(nodes, h), relate(nodes, h)

    assert torch.equal(first.graph, again.graph)


def test_autocast_changes_nothing(nodes: CropTable, h: torch.Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = relate(nodes, h)

    plain = relate(nodes, h)
    assert mixed.alignment == plain.alignment
    assert torch.equal(mixed.graph, plain.graph)


def test_half_precision_representations_are_taken(nodes: CropTable, h: torch.Tensor) -> None:
    output = relate(nodes, h.bfloat16())

    assert output.graph.dtype == output.alignment.dtype == torch.float32
    assert output.alignment.item() == pytest.approx(relate(nodes, h).alignment.item(), rel=0.01)


def test_the_state_restores_prototypes_and_branch_weights(nodes: CropTable, h: torch.Tensor) -> None:
    first, restored = RelationGraph(DIM), RelationGraph(DIM)
    assert not torch.equal(first(nodes, h).graph, restored(nodes, h).graph)

    restored.load_state_dict(first.state_dict())

    assert torch.equal(first(nodes, h).graph, restored(nodes, h).graph)


def test_a_record_of_another_batch_is_refused(nodes: CropTable, h: torch.Tensor) -> None:
    with pytest.raises(TrainingError, match=f"{len(nodes)} crops and its representations 3"):
        RelationGraph(DIM)(nodes, h[:3])


@pytest.mark.parametrize(
    "changes",
    [
        {"branches": ()},
        {"branches": ("nearest",)},
        {"decay": "linear"},
        {"weighting": "uniform"},
        {"prototype_reach": "column"},
        {"neighbours": 0},
        {"prototypes": 1},
        {"coefficients": {"prototypes": 1.0}},
        {"coefficients": {**COEFFICIENTS, "prototypes": -1.0}},
        {"alignment": -0.5},
    ],
)
def test_settings_that_cannot_be_used_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        RelationSettings(**changes)


def test_settings_survive_a_trip_through_json() -> None:
    settings = RelationSettings(branches=("prototypes", "same_degradation"), neighbours=7)

    again = RelationSettings(**json.loads(json.dumps(dataclasses.asdict(settings))))

    assert again == settings
    assert again.branches == ("same_degradation", "prototypes")
