"""Ordered sets: what was done is known at every place, with its direction, and so is what is certainly worse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.distortions.composition import AppliedOperator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.relational.records import TARGETS
from shamisa_cli.core.training.relational.ordered_sets import (
    DIRECTIONS,
    SET_KINDS,
    MaskedOperator,
    SetKind,
    distort_regions,
    draw_ordered_set,
    target_maps,
)

kinds = st.sampled_from(list(SET_KINDS))


def picture(size: int = 64, seed: int = 0) -> torch.Tensor:
    """Smooth shapes with some texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    planes = [0.5 + 0.3 * np.sin(6 * x * (k + 1) + 4 * y) + 0.05 * rng.normal(size=(size, size)) for k in range(3)]
    return torch.from_numpy(np.clip(planes, 0, 1)).float()


def region(operator: str, severity: float, mask: torch.Tensor) -> MaskedOperator:
    return MaskedOperator(AppliedOperator(operator, (severity,), 0.0, 0), mask)


def whole(size: int = 64) -> torch.Tensor:
    return torch.ones(size, size)


@given(kinds, st.integers(0, 500))
@settings(max_examples=25, deadline=None)
def test_the_same_seed_makes_the_same_set(kind: SetKind, seed: int) -> None:
    first, second = (draw_ordered_set(picture(), 3, np.random.default_rng(seed), kind=kind) for _ in range(2))
    assert torch.equal(first.pictures, second.pictures)
    assert torch.equal(first.targets.nan_to_num(), second.targets.nan_to_num())


@given(kinds, st.integers(0, 500))
@settings(max_examples=25, deadline=None)
def test_versions_are_pictures_of_the_same_size_in_0_to_1(kind: SetKind, seed: int) -> None:
    found = draw_ordered_set(picture(), 4, np.random.default_rng(seed), kind=kind)
    assert found.pictures.shape == (4, 3, 64, 64)
    assert float(found.pictures.min()) >= 0
    assert float(found.pictures.max()) <= 1
    assert found.targets.shape == (4, len(TARGETS), 8, 8)
    assert found.damage.shape == (4, 1, 8, 8)


@given(st.sampled_from(["ladder", "nested"]), st.integers(0, 500))
@settings(max_examples=25, deadline=None)
def test_each_version_of_a_ladder_is_damaged_more_than_the_one_before(kind: SetKind, seed: int) -> None:
    found = draw_ordered_set(picture(), 4, np.random.default_rng(seed), kind=kind)
    total = found.damage.sum(dim=(1, 2, 3))
    assert bool((total[1:] >= total[:-1] - 1e-4).all())
    assert bool(found.worse.triu(1).sum() == 6)


@pytest.mark.parametrize("kind", ["mixed", "single", "disturbed"])
def test_only_the_best_version_has_a_certain_place_in_other_sets(kind: SetKind) -> None:
    found = draw_ordered_set(picture(), 4, np.random.default_rng(1), kind=kind)
    assert found.worse.nonzero().tolist() == [[0, 1], [0, 2], [0, 3]]


def test_a_set_of_single_operators_distorts_whole_frames_by_different_groups() -> None:
    found = draw_ordered_set(picture(), 4, np.random.default_rng(4), kind="single")
    assert found.regions[0] == ()
    groups = [OPERATORS[regions[0].step.operator].group for regions in found.regions[1:]]
    assert len(set(groups)) == 3
    assert all(float(regions[0].mask.min()) == 1 for regions in found.regions[1:])


def test_what_the_engine_does_not_know_has_no_targets() -> None:
    found = draw_ordered_set(picture(), 3, np.random.default_rng(0), kind="disturbed")
    assert bool(found.targets.isnan().all())
    assert bool(found.damage.isnan().all())
    assert found.regions == ()


def test_operators_left_out_are_never_drawn() -> None:
    allowed = {"lens blur", "JPEG", "white noise", "brighten", "quantise", "contrast up", "colour shift"}
    left_out = frozenset(OPERATORS) - allowed
    for seed in range(15):
        found = draw_ordered_set(picture(), 3, np.random.default_rng(seed), kind="mixed", left_out=left_out)
        assert {done.step.operator for regions in found.regions for done in regions} <= allowed


@pytest.mark.parametrize(
    ("operator", "moved", "sign"),
    [
        ("lens blur", "blur", 1),
        ("over-sharpen", "blur", -1),
        ("brighten", "brightness", 1),
        ("darken", "brightness", -1),
        ("contrast up", "contrast", 1),
        ("contrast down", "contrast", -1),
        ("Lab saturation", "saturation", 1),
        ("HSV saturation", "saturation", -1),
        ("JPEG", "compression", 1),
        ("white noise", "noise", 1),
        ("quantise", "spatial", 1),
    ],
)
def test_the_two_ends_of_an_axis_have_opposite_signs(operator: str, moved: str, sign: int) -> None:
    targets, damage = target_maps([region(operator, 4.0, whole())], 64, 64)
    assert torch.allclose(targets[TARGETS.index(moved)], torch.full((8, 8), 4.0 * sign))
    assert torch.allclose(damage, torch.full((1, 8, 8), 4.0))


def test_every_operator_moves_some_map_and_a_group_of_its_own_or_its_opposite() -> None:
    assert DIRECTIONS.keys() == OPERATORS.keys()
    assert all(any(name in GROUPS for name, _ in moves) for moves in DIRECTIONS.values())


def test_targets_lie_where_the_mask_is_and_add_up() -> None:
    left = torch.zeros(64, 64)
    left[:, :32] = 1
    targets, damage = target_maps([region("lens blur", 2.0, left), region("over-sharpen", 4.0, whole())], 64, 64)
    blur = targets[TARGETS.index("blur")]
    intensity = 0.5 + 3.5 * 2 / 4
    assert torch.allclose(blur[:, :4], torch.full((8, 4), intensity - 4))
    assert torch.allclose(blur[:, 4:], torch.full((8, 4), -4.0))
    assert torch.allclose(damage[0, :, :4], torch.full((8, 4), intensity + 4))


def test_nothing_happens_outside_of_a_mask() -> None:
    left = torch.zeros(64, 64)
    left[:, :32] = 1
    before = picture()
    after = distort_regions(before, [region("white noise", 4.0, left)], torch.Generator().manual_seed(0))
    assert torch.equal(before[..., 32:], after[..., 32:])
    assert float((before - after)[..., :32].abs().mean()) > 0.01
