"""The metadata graphs against a double loop over all pairs of crops, written from the definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.graphs.crops import CropTable, crop_table
from shamisa_cli.core.graphs.metadata import reference_distorted, reference_reference, same_degradation, within_family
from shamisa_cli.core.graphs.sparse import SparseGraph

DECAY: dict[str, Callable[[float], float]] = {
    "exponential": lambda gap: math.exp(-0.75 * gap),
    "reciprocal": lambda gap: 1 / (1 + 0.25 * gap),
}


@dataclass(frozen=True)
class Crop:
    """One crop, named by what was done to it; a reference has no composition and no level."""

    sample: int
    photo: int
    scale: int
    composition: int | None
    level: int | None
    severity: float

    @property
    def view(self) -> tuple[int, int, int]:
        return self.sample, self.photo, self.scale

    @property
    def distorted(self) -> bool:
        return self.composition is not None


def crops_of(severities: torch.Tensor, photos: int, scales: int) -> list[Crop]:
    samples, compositions, levels = severities.shape
    views = [(b, r, s) for b in range(samples) for r in range(photos) for s in range(scales)]
    references = [Crop(*view, None, None, 0.0) for view in views]
    return references + [
        Crop(*view, c, level, severities[view[0], c, level].item())
        for view in views
        for c in range(compositions)
        for level in range(levels)
    ]


def weights_between(crops: list[Crop], weight: Callable[[Crop, Crop], float]) -> torch.Tensor:
    matrix = torch.zeros(len(crops), len(crops))
    for i, one in enumerate(crops):
        for j, other in enumerate(crops):
            if i != j:
                matrix[i, j] = weight(one, other)
    return matrix


def assert_is(graph: SparseGraph, expected: torch.Tensor) -> None:
    """Same edges, same weights, and a well-formed graph."""
    assert graph.size == len(expected)
    assert (graph.index[0] < graph.index[1]).all()
    assert (graph.weight >= 0).all()
    assert graph.edge_count == (expected > 0).sum() / 2
    torch.testing.assert_close(graph.to_dense(), expected, rtol=1e-6, atol=0)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[torch.Tensor, int, int]:
    """Severities (B, C, L), photographs R and scales S of a small batch; equal severities are common."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)))
    severity = st.one_of(st.sampled_from([0.0, 1.0, 4.0]), st.floats(0, 4, width=32))
    values = draw(st.lists(severity, min_size=math.prod(shape), max_size=math.prod(shape)))
    return torch.tensor(values).reshape(shape), draw(st.integers(1, 3)), draw(st.integers(1, 2))


few = settings(deadline=None, max_examples=12)


@few
@given(layouts())
def test_like_distorted_crops_of_different_photographs_are_tied(layout: tuple[torch.Tensor, int, int]) -> None:
    def weight(a: Crop, b: Crop) -> float:
        same = (a.sample, a.composition, a.level, a.scale) == (b.sample, b.composition, b.level, b.scale)
        return float(a.distorted and b.distorted and same and a.photo != b.photo)

    assert_is(same_degradation(crop_table(*layout)), weights_between(crops_of(*layout), weight))


@few
@given(layouts(), st.sampled_from(["exponential", "reciprocal"]))
def test_a_view_is_tied_to_its_own_distorted_crops(layout: tuple[torch.Tensor, int, int], decay: str) -> None:
    def weight(a: Crop, b: Crop) -> float:
        if a.view != b.view or a.distorted == b.distorted:
            return 0.0
        return DECAY[decay](a.severity if a.distorted else b.severity)

    assert_is(reference_distorted(crop_table(*layout), decay), weights_between(crops_of(*layout), weight))


@few
@given(layouts())
def test_all_references_are_tied(layout: tuple[torch.Tensor, int, int]) -> None:
    def weight(a: Crop, b: Crop) -> float:
        return float(not a.distorted and not b.distorted)

    assert_is(reference_reference(crop_table(*layout)), weights_between(crops_of(*layout), weight))


@few
@given(layouts(), st.sampled_from(["exponential", "reciprocal"]))
def test_a_composition_is_a_family_across_views_and_levels(layout: tuple[torch.Tensor, int, int], decay: str) -> None:
    def weight(a: Crop, b: Crop) -> float:
        kin = a.distorted and b.distorted and (a.sample, a.composition) == (b.sample, b.composition)
        return DECAY[decay](abs(a.severity - b.severity)) if kin else 0.0

    everything = within_family(crop_table(*layout), decay, keep=len(crop_table(*layout)) ** 2)
    assert_is(everything, weights_between(crops_of(*layout), weight))


@few
@given(layouts(), st.integers(1, 40))
def test_only_the_strongest_family_ties_stay(layout: tuple[torch.Tensor, int, int], keep: int) -> None:
    everything = within_family(crop_table(*layout))
    ranked = sorted(
        zip(everything.weight.tolist(), everything.index.T.tolist(), strict=True),
        key=lambda edge: (-edge[0], edge[1]),
    )

    kept = within_family(crop_table(*layout), keep=keep)

    assert kept.index.T.tolist() == sorted(pair for _, pair in ranked[:keep])


def test_the_rows_of_a_table_may_come_in_any_order() -> None:
    table = crop_table(torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0)) * 4, 3, 2)
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(1))
    shuffled = CropTable(**{f.name: getattr(table, f.name)[order] for f in fields(table)})

    for build in (same_degradation, reference_distorted, reference_reference, within_family):
        straight = build(table).to_dense()
        torch.testing.assert_close(build(shuffled).to_dense(), straight[order][:, order], rtol=0, atol=0)


def test_the_published_batch_has_the_edges_one_can_count() -> None:
    table = crop_table(torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0)) * 4, 3, 2)

    assert len(table) == 252
    assert same_degradation(table).edge_count == 2 * 4 * 5 * 2 * 3  # three pairs of photographs
    assert reference_distorted(table).edge_count == 240
    assert reference_reference(table).edge_count == 12 * 11 / 2
    assert within_family(table, keep=9999).edge_count == 8 * (30 * 29 / 2)
    assert within_family(table).edge_count == 4096 / 2, "4,096 directed entries are 2,048 pairs"


def test_a_large_batch_keeps_2048_family_pairs_all_of_full_weight() -> None:
    table = crop_table(torch.rand(16, 4, 5, generator=torch.Generator().manual_seed(0)) * 4, 3, 2)

    family = within_family(table)

    assert len(table) == 2016
    assert family.edge_count == 2048
    # 16·4·5 groups of six crops share a severity, which makes more ties of weight 1 than are kept.
    assert family.weight.min() == pytest.approx(1.0)
