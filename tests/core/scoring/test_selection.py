"""Asking for the best, the worst, or those on one side of a score."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import shamisa_cli as shamisa
from shamisa_cli.core.records import ErrorRecord, ImageRecord
from shamisa_cli.core.scoring.selection import Selection

SCORES = st.lists(st.floats(0, 100), max_size=20)


def pictures(scores: list[float]) -> list[ImageRecord]:
    torn = ImageRecord("torn", status="error", error=ErrorRecord("empty", "torn is empty."))
    return [*(ImageRecord(f"{index}", score) for index, score in enumerate(scores)), torn]


@given(SCORES, st.integers(0, 25), st.integers(0, 25))
@example([0.0, 0.0], 1, 1)
def test_the_best_and_the_worst_are_those_at_the_ends(scores: list[float], top: int, bottom: int) -> None:
    found = [record.score for record in Selection(top=top, bottom=bottom).select(pictures(scores))]
    ordered = sorted(scores)
    if top + bottom >= len(scores):
        assert found == scores
    else:
        assert sorted(found) == [*ordered[:bottom], *ordered[len(ordered) - top :]]


@given(SCORES, st.floats(0, 100), st.floats(0, 100))
def test_limits_divide_the_pictures_without_overlap(scores: list[float], low: float, high: float) -> None:
    below, above = Selection(below=low).select(pictures(scores)), Selection(above=low).select(pictures(scores))
    assert sorted([*below, *above], key=lambda record: int(record.path)) == pictures(scores)[:-1]
    between = Selection(below=high, above=low).select(pictures(scores))
    assert [record.score for record in between] == [score for score in scores if low <= score < high]


def test_without_conditions_everything_stays_also_what_could_not_be_read() -> None:
    assert Selection().select(pictures([1, 2])) == pictures([1, 2])
    assert not Selection().limits
    assert Selection(top=0).limits


@pytest.mark.parametrize("wrong", [{"top": -1}, {"bottom": -2}, {"below": 101}, {"above": -1}, {"above": float("nan")}])
def test_numbers_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(shamisa.SettingError):
        Selection(**wrong)
