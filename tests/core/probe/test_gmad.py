"""The pictures by which two models are most unlike, held against a search through all pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.probe.gmad import GmadPair, gmad_pairs, places


def widest_gaps(defending: list[float], attacking: list[float], levels: int, tolerance: float) -> dict[int, float]:
    """The largest gap of each level by looking at every pair; places are counted, not ranked."""
    count = len(defending)

    def place(scores: list[float], row: int) -> float:
        below = sum(score < scores[row] for score in scores)
        equal = sum(score == scores[row] for score in scores) - 1
        return (below + equal / 2) / (count - 1)

    def level(row: int) -> int:
        return min(int(place(defending, row) * levels + 1e-9), levels - 1)

    widest: dict[int, float] = {}
    for one, other in combinations(range(count), 2):
        apart = abs(place(defending, one) - place(defending, other))
        if level(one) != level(other) or apart > max(tolerance, 1 / (count - 1)) + 1e-9:
            continue
        gap = abs(place(attacking, one) - place(attacking, other))
        if gap > 1e-9:
            widest[level(one)] = max(gap, widest.get(level(one), 0.0))
    return widest


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 40), st.integers(1, 3), st.sampled_from([0.0, 0.05, 0.3]), st.integers(0, 10_000), st.booleans())
def test_no_pair_is_told_apart_more_than_the_one_that_is_found(
    count: int, levels: int, tolerance: float, seed: int, with_ties: bool
) -> None:
    generator = np.random.default_rng(seed)
    a, b = generator.integers(0, 8, (2, count)).astype(float) if with_ties else generator.normal(size=(2, count))
    found = gmad_pairs(a, b, levels=levels, tolerance=tolerance)
    for defender, defending, attacking in (("a", a, b), ("b", b, a)):
        pairs = [pair for pair in found if pair.defender == defender]
        expected = widest_gaps(list(defending), list(attacking), levels, tolerance)
        assert {pair.level: pair.gap for pair in pairs} == pytest.approx(expected)
        for pair in pairs:
            assert attacking[pair.better] > attacking[pair.worse]
            assert places(attacking)[pair.better] - places(attacking)[pair.worse] == pytest.approx(pair.gap)


def test_two_models_that_differ_on_one_pair_are_caught_there() -> None:
    a = np.arange(9.0)
    b = np.array([0.0, 1.0, 2.0, 3.0, 8.0, 5.0, 6.0, 7.0, 4.0])  # pictures 4 and 8 are swapped
    # b has picture 8 next to 3 and 5; a has it five places above 3.
    pairs = gmad_pairs(a, b, levels=1)
    assert pairs == (
        GmadPair("a", 0, better=4, worse=3, gap=5 / 8),
        GmadPair("b", 0, better=8, worse=3, gap=5 / 8),
    )
    assert [pair.attacker for pair in pairs] == ["b", "a"]


def test_the_highest_level_comes_first_and_pairs_stay_within_their_level() -> None:
    a, b = np.arange(30.0), np.random.default_rng(0).permutation(30).astype(float)
    found = gmad_pairs(a, b)
    assert [(pair.defender, pair.level) for pair in found] == [
        ("a", 2), ("a", 1), ("a", 0), ("b", 2), ("b", 1), ("b", 0),
    ]  # fmt: skip
    for pair in found[:3]:
        assert {int(3 * a[row] / 29 - 1e-9) for row in (pair.better, pair.worse)} == {pair.level}


def test_pairs_do_not_depend_on_how_a_model_spaces_its_scores() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.normal(size=(2, 50))
    assert gmad_pairs(a, b) == gmad_pairs(np.exp(3 * a), 100 + b / 7)


def test_models_that_agree_have_neighbours_at_most() -> None:
    a = np.random.default_rng(1).normal(size=40)
    assert [pair.gap for pair in gmad_pairs(a, 2 * a)] == pytest.approx([1 / 39] * 6)


def test_where_the_attacker_calls_equal_too_there_is_no_pair() -> None:
    assert gmad_pairs(np.zeros(8), np.zeros(8)) == ()


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(SettingError, match="5 pictures are too few for 3 levels"):
        gmad_pairs(np.arange(5.0), np.arange(5.0))
