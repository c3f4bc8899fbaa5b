"""Which pictures a cull keeps."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shamisa_cli as shamisa
from shamisa_cli.core.culling.decisions import CullRule, decide, stars_of
from shamisa_cli.core.records import ErrorRecord, GroupPlace, ImageRecord

SCORES = st.lists(st.floats(0, 100), max_size=30)


def kept(records: list[ImageRecord], rule: CullRule) -> list[str]:
    return [decision.record.path for decision in decide(records, rule) if decision.verdict == "keep"]


@given(SCORES, st.floats(0, 100))
def test_the_best_share_is_kept_and_no_rejected_picture_beats_a_kept_one(scores: list[float], share: float) -> None:
    decisions = decide([ImageRecord(f"{index}", score) for index, score in enumerate(scores)], CullRule(share))
    keep = [each.record.score for each in decisions if each.verdict == "keep"]
    reject = [each.record.score for each in decisions if each.verdict == "reject"]
    assert len(keep) == math.ceil(round(len(scores) * share / 100, 9))
    assert not keep or not reject or min(keep) >= max(reject)


@given(SCORES, st.floats(0, 100))
def test_a_minimum_rejects_exactly_what_is_below_it(scores: list[float], below: float) -> None:
    records = [ImageRecord(f"{index}", score) for index, score in enumerate(scores)]
    assert kept(records, CullRule(below=below)) == [each.path for each in records if each.score >= below]


def test_only_the_best_of_each_group_is_kept_and_the_share_counts_what_is_left() -> None:
    records = [ImageRecord(name, score) for name, score in (("a", 90.0), ("b", 80.0), ("c", 70.0), ("d", 60.0))]
    places = [GroupPlace(1, 2, True), GroupPlace(1, 2, False), GroupPlace(2, 1, True), GroupPlace(3, 1, True)]
    records = [replace(record, group=place) for record, place in zip(records, places, strict=True)]
    assert kept(records, CullRule(best_of_groups=True)) == ["a", "c", "d"]
    assert kept(records, CullRule(keep_best=34, best_of_groups=True)) == ["a", "c"]
    assert kept(records, CullRule(below=75, best_of_groups=True)) == ["a"]


def test_unreadable_pictures_are_neither_kept_nor_rejected() -> None:
    record = ImageRecord("a", status="error", error=ErrorRecord("empty", "a is empty."))
    assert [(each.verdict, each.reason, each.stars) for each in decide([record], CullRule(below=50))] == [
        ("unreadable", "a is empty.", None)
    ]


@pytest.mark.parametrize(("score", "stars"), [(0, 1), (19.9, 1), (20, 2), (59.9, 3), (60, 4), (80, 5), (100, 5)])
def test_stars_are_fifths_of_the_scale(score: float, stars: int) -> None:
    assert stars_of(score) == stars


@pytest.mark.parametrize("wrong", [{"keep_best": 101}, {"keep_best": -1}, {"below": 200}, {"below": float("nan")}])
def test_rules_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(shamisa.SettingError):
        CullRule(**wrong)
