"""Maps and scores flip their sign with the order of a pair, exactly, whatever the weights are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.networks.distortion_network import NetworkOutput, _on_grid, _spread
from shamisa_cli.core.networks.scoring_network import RelationalModel, change_points, odd_pooling
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.relational.records import MAPS

SMALL = RelationalConfig(width=16, hidden=8)


def random_model(seed: int, config: RelationalConfig = SMALL) -> RelationalModel:
    """Random weights everywhere, also where training begins with zeros."""
    torch.manual_seed(seed)
    model = RelationalModel(config).eval()
    for value in model.parameters():
        if not value.any():
            torch.nn.init.normal_(value, std=0.2)
    return model


def pictures(count: int, height: int = 64, width: int = 96, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_swapping_the_pictures_flips_every_sign_exactly(seed: int) -> None:
    model, a, b = random_model(seed), pictures(2, seed=seed), pictures(2, seed=seed + 1)
    with torch.no_grad():
        model.distortion.calibrate(a, b)
        (maps, score), (back, reverse) = model(a, b), model(b, a)
    assert torch.equal(maps, -back)
    assert torch.equal(score, -reverse)
    assert bool((score != 0).all()), "a model that always says 0 would pass as well"


@given(st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_a_picture_against_itself_is_exactly_zero(seed: int) -> None:
    model, a = random_model(seed), pictures(2, seed=seed)
    with torch.no_grad():
        maps, score = model(a, a.clone())
    assert not maps.any()
    assert not score.any()


def test_there_is_one_map_for_each_name_at_an_eighth_of_the_size() -> None:
    with torch.no_grad():
        maps, score = random_model(0)(pictures(1, 80, 112), pictures(1, 80, 112, seed=1))
    assert maps.shape == (1, len(MAPS), 10, 14)
    assert score.shape == (1,)
    assert -100 <= float(score) <= 100


@pytest.mark.parametrize(("blocks", "stages", "halo"), [(2, (0, 1, 3, 6, 10), 144), (1, (0, 2), 32), (3, (3, 13), 208)])
def test_places_further_away_than_the_halo_do_not_matter(blocks: int, stages: tuple[int, ...], halo: int) -> None:
    model = random_model(3, replace(SMALL, blocks=blocks, stages=stages))
    assert model.distortion.halo == halo
    a, b = pictures(1, 32, halo + 160), pictures(1, 32, halo + 160, seed=1)
    changed = b.clone()
    changed[..., :32] = 1 - changed[..., :32]
    with torch.no_grad():
        found, other = model.distortion(a, b), model.distortion(a, changed)
    first_untouched = (32 + halo) // 8
    for here, there in zip(found.tensors, other.tensors, strict=True):
        assert torch.allclose(here[..., first_untouched:], there[..., first_untouched:], atol=1e-6)
    assert not torch.allclose(found.signed[..., :4], other.signed[..., :4], atol=1e-3)


def test_a_place_that_is_unsure_of_the_direction_goes_with_its_surroundings() -> None:
    signed = torch.full((1, len(MAPS), 15, 15), 1.0)
    signed[..., 7, 7] = -0.5
    related = NetworkOutput(signed, torch.full((1, 1, 15, 15), 3.0), torch.ones(1, 1, 15, 15))
    assert float(related.directions.min()) > 0.9
    assert torch.allclose(related.maps[0, :-1, 7, 7], 0.5 * related.directions[0, :-1, 7, 7])
    assert float(related.maps[0, -1].min()) > 2.7


def test_weights_are_the_same_in_both_orders_and_positive() -> None:
    model, a, b = random_model(1), pictures(1), pictures(1, seed=1)
    with torch.no_grad():
        forth, back = model.distortion(a, b), model.distortion(b, a)
    assert torch.equal(forth.weights, back.weights)
    assert torch.equal(forth.amount, back.amount)
    assert float(forth.weights.min()) > 0


def test_pooling_is_odd_and_heeds_the_weights() -> None:
    maps = torch.randn(1, len(MAPS), 4, 5)
    shares = torch.rand(1, 1, 4, 5)
    shares = shares / shares.sum()
    assert torch.equal(odd_pooling(-maps, shares), -odd_pooling(maps, shares))
    alone = torch.zeros(1, 1, 4, 5)
    alone[..., 2, 3] = 1
    pooled = odd_pooling(maps, alone)[0]
    assert torch.allclose(pooled[len(MAPS) : 2 * len(MAPS)], maps[0, :, 2, 3])
    assert torch.allclose(pooled[2 * len(MAPS) :], maps[0, :, 2, 3], atol=1e-3)


def test_how_much_changed_is_told_in_points() -> None:
    related = NetworkOutput(
        torch.zeros(2, len(MAPS), 3, 3), torch.full((2, 1, 3, 3), 2.0), torch.rand(2, 1, 3, 3) + 0.1
    )
    assert torch.allclose(change_points(related), torch.full((2,), 200 / 3), atol=1e-3)


def test_calibration_brings_what_enters_the_head_to_one_size() -> None:
    model, a, b = random_model(0), pictures(3), pictures(3, seed=1)
    entered: list[Tensor] = []
    model.distortion.head.one.register_forward_pre_hook(lambda _module, inputs: entered.append(inputs[0]))
    assert not model.distortion.calibrated
    with torch.no_grad():
        model.distortion.calibrate(a, b)
        model(a, b)
    assert model.distortion.calibrated
    mean_square = torch.cat(entered).square().mean(dim=(0, 2, 3))
    assert float(mean_square.median()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_spreads_are_those_of_double_precision_however_large_the_mean(mean: float) -> None:
    values = mean + 0.01 * torch.randn(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    for size in ((16, 24), (8, 12), (4, 6)):
        on_grid = _on_grid(values, size)
        found = _spread(values, on_grid)
        fine = values.double()
        exact = _on_grid(fine.square(), size) - _on_grid(fine, size).square()
        assert found.shape == exact.shape
        assert torch.allclose(found.double(), exact, rtol=1e-3, atol=1e-9)


def test_the_shape_travels_as_json() -> None:
    config = RelationalConfig(stages=(0, 2, 5), width=24)
    assert RelationalConfig.from_json(config.to_json()) == config
    with pytest.raises(SettingError, match="stages"):
        RelationalConfig(stages=(3, 14))
    with pytest.raises(SettingError, match="depth"):
        RelationalConfig.from_json({"depth": 3})


def test_weights_that_lack_something_are_refused_by_name() -> None:
    weights = RelationalModel(SMALL).distortion.trunk.backbone.state_dict()
    lacking = {name: value for name, value in weights.items() if name != "features.3.conv.0.0.weight"}
    with pytest.raises(ModelError, match=r"features\.3\.conv\.0\.0\.weight"):
        RelationalModel(SMALL, lacking)
