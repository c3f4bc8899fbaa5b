"""Terms of the loss of the relational networks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from shamisa_cli.core.networks.distortion_network import NetworkOutput
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.training.relational.batches import RelationalBatch
from shamisa_cli.core.training.relational.objective import (
    RelationalCoefficients,
    dense_loss,
    direction_loss,
    order_loss,
    pair_indices,
    places,
    ranking_loss,
    relational_loss,
    score_loss,
)


def test_all_pairs_are_compared_once_the_earlier_version_first() -> None:
    first, second = pair_indices(4)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_right_maps_cost_nothing_and_wrong_ones_something() -> None:
    targets = torch.zeros(1, 2, 4, 4)
    targets[:, 0, :2] = 3
    assert float(dense_loss(targets, targets)) == 0
    assert float(dense_loss(-targets, targets)) > float(dense_loss(targets * 0, targets)) > 0


def test_a_small_changed_place_counts_as_much_as_a_large_unchanged_one() -> None:
    targets = torch.zeros(1, 1, 10, 10)
    targets[..., 0, :5] = 2  # five places of a hundred
    missed = dense_loss(torch.zeros_like(targets), targets)
    invented = dense_loss(torch.where(targets == 0, 2.0, targets), targets)
    assert float(missed) == pytest.approx(float(invented), rel=1e-4)


def test_places_without_a_target_do_not_count() -> None:
    targets = torch.zeros(2, 1, 4, 4)
    targets[1] = math.nan
    maps = torch.zeros(2, 1, 4, 4, requires_grad=True)
    (dense_loss(maps + 1, targets) * 1).backward()
    assert maps.grad is not None
    assert not maps.grad[1].any()
    assert bool(maps.grad[0].all())


def test_a_batch_without_any_target_costs_nothing() -> None:
    assert float(dense_loss(torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), math.nan))) == 0


def test_a_certain_order_costs_little_when_it_is_kept() -> None:
    certain = torch.tensor([True, False])
    kept, broken = order_loss(torch.tensor([-50.0, 90.0]), certain), order_loss(torch.tensor([50.0, 90.0]), certain)
    assert float(kept) < 0.01
    assert float(broken) == pytest.approx(5, abs=0.01)
    assert float(order_loss(torch.tensor([3.0]), torch.tensor([False]))) == 0


def test_scores_of_all_pairs_give_back_the_scale_that_they_came_from() -> None:
    scale = torch.tensor([[10.0, -20.0, 4.0, 6.0], [3.0, 1.0, 0.0, -4.0]])
    first, second = pair_indices(4)
    assert torch.allclose(places(scale[:, second] - scale[:, first], 4), scale)


def test_a_list_in_order_costs_little_and_versions_of_unknown_order_cost_nothing() -> None:
    worse = torch.tensor([[[False, True, True], [False, False, False], [False, False, False]]])
    kept, broken = (ranking_loss(torch.tensor([ranks]), worse) for ranks in ([80.0, 0.0, 0.0], [0.0, 80.0, 80.0]))
    assert float(kept) < 0.01
    assert float(broken) == pytest.approx(8 + math.log(2), abs=0.01)
    among_others = (ranking_loss(torch.tensor([[0.0, -9.0 + by, -9.0 - by]]), worse) for by in (0.0, 1e-3))
    assert float(next(among_others)) == pytest.approx(float(next(among_others)), abs=1e-5)
    assert float(ranking_loss(torch.tensor([[5.0, 1.0, 2.0]]), torch.zeros_like(worse))) == 0


def test_the_overall_map_points_to_the_damage() -> None:
    amount = torch.ones(1, 1, 40, 80)
    damage = torch.cat([torch.full((1, 1, 40, 40), 2.0), torch.full((1, 1, 40, 40), -2.0)], dim=3)
    damage[..., :5, :], damage[..., 5:10, :] = 0, math.nan

    def loss(overall: Tensor) -> float:
        signed = torch.cat([torch.zeros(1, 8, 40, 80), overall], dim=1)
        return float(direction_loss(NetworkOutput(signed, amount, amount), damage))

    right = damage.nan_to_num().sign() * 9
    right[..., :10, :] = 9
    assert loss(right) < 0.2, "all but the border between both halves"
    assert loss(-right) > 1.8


def test_scores_are_held_against_differences_of_the_consensus() -> None:
    assert float(score_loss(torch.tensor([-40.0]), torch.tensor([-40.0]))) == 0
    assert float(score_loss(torch.tensor([-40.0]), torch.tensor([-90.0]))) == pytest.approx(0.45)


def test_training_on_one_batch_learns_it() -> None:
    torch.manual_seed(0)
    model = RelationalModel(RelationalConfig(width=24, hidden=8)).train()
    best = torch.rand(1, 3, 64, 64)
    noisy = (best + 0.3 * torch.randn(1, 3, 64, 64)).clamp(0, 1)
    targets = torch.zeros(1, 2, 8, 8, 8)
    targets[:, 1, 3] = 3
    worse = torch.tensor([[[False, True], [False, False]]])
    quality = torch.tensor([[0.0, -70.0]])
    damage = targets.abs().sum(dim=2, keepdim=True)
    batch = RelationalBatch(torch.stack([best, noisy], dim=1), targets, damage, worse, quality, 0)
    model.distortion.trunk.requires_grad_(False).eval()
    model.distortion.calibrate(best, noisy)
    optimiser = torch.optim.Adam([value for value in model.parameters() if value.requires_grad], lr=3e-3)
    losses = []
    for _ in range(60):
        terms = relational_loss(model, batch, RelationalCoefficients())
        assert terms.keys() == {"total", "dense", "score", "amount", "direction", "order", "ranking"}
        losses.append(float(terms["total"]))
        optimiser.zero_grad()
        terms["total"].backward()
        optimiser.step()
    assert losses[-1] < 0.2 * losses[0]
    with torch.no_grad():
        assert float(model(best, noisy)[1]) == pytest.approx(-70, abs=25)
