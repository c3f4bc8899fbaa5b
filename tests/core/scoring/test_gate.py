from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.records import ErrorRecord, ImageRecord
from shamisa_cli.core.scoring.baseline import Baseline
from shamisa_cli.core.scoring.gate import (
    Gate,
    Level,
    Rule,
    apply_gate,
    describe_findings,
    gate_status,
    gate_summary,
    worst_first,
)

UNREAD = ImageRecord("c.jpg", status="error", error=ErrorRecord("truncated", "c.jpg ends early."))
points = st.floats(0, 100)


def outcome(gate: Gate, path: str, score: float) -> str:
    return gate_status(gate.apply(ImageRecord(path, score)))


@given(points, points)
def test_a_picture_fails_exactly_when_it_scores_less_than_the_bar(score: float, bar: float) -> None:
    assert outcome(Gate(min_score=bar), "a.jpg", score) == ("failed" if score < bar else "passed")


@given(points, st.floats(0, 100))
def test_a_picture_that_has_not_changed_never_drops(score: float, limit: float) -> None:
    gate = Gate(max_drop=limit, baseline=Baseline(Path("b.json"), {"a.jpg": round(score, 2)}))
    assert outcome(gate, "a.jpg", score) == "passed"


@pytest.mark.parametrize(("score", "came_out"), [(52.0, "passed"), (51.99, "failed"), (90.0, "passed")])
def test_a_drop_over_the_limit_fails_and_one_on_the_limit_passes(score: float, came_out: str) -> None:
    gate = Gate(max_drop=5, baseline=Baseline(Path("b.json"), {"a.jpg": 57.0}))
    assert outcome(gate, "a.jpg", score) == came_out
    assert outcome(gate, "new.jpg", 1.0) == "passed"


def test_both_reasons_are_given_with_numbers_that_show_the_difference() -> None:
    gate = Gate(min_score=40, max_drop=2, baseline=Baseline(Path("b.json"), {"a.jpg": 60.0}))
    found = gate.apply(ImageRecord("a.jpg", 39.96))
    assert [finding.rule for finding in found.findings] == ["min-score", "max-drop"]
    assert describe_findings(found) == (
        "a.jpg scores 39.96, below the minimum of 40; scores 40.0, 20.0 below the 60.0 of the baseline; the largest "
        "allowed drop is 2"
    )


def test_rules_hold_for_the_files_they_name_and_a_later_one_goes_over_an_earlier_one(tmp_path: Path) -> None:
    rules = (
        Rule(("drafts/", "*.thumb.jpg"), level="warn", min_score=80),
        Rule(("drafts/old/**",), level="off"),
        Rule(("/cover.jpg",), min_score=95),
    )
    gate = Gate(min_score=40, rules=rules, folder=tmp_path)
    for path, came_out in {
        "a.jpg": "passed",
        "drafts/a.jpg": "warned",
        "deep/down/x.thumb.jpg": "warned",
        "drafts/old/a.jpg": "passed",
        "cover.jpg": "failed",
        "deep/cover.jpg": "passed",
    }.items():
        assert outcome(gate, str(tmp_path / path), 50.0) == came_out, path


def test_a_rule_may_bring_the_only_bar() -> None:
    assert Gate(rules=(Rule(("*.png",), min_score=50),)).judges
    assert not Gate(rules=(Rule(("*.png",), level="warn"),)).judges
    assert not Gate(max_drop=5).judges


def test_unreadable_pictures_are_errors_unless_they_are_to_be_skipped() -> None:
    for skip, level in ((False, "error"), (True, "warn")):
        (finding,) = Gate(skip_unreadable=skip).apply(UNREAD).findings
        assert (finding.rule, finding.level) == ("unreadable", level)


@pytest.mark.parametrize("level", ["off", "warn"])
def test_a_rule_excuses_pictures_that_cannot_be_read_or_judged(level: Level) -> None:
    gate = Gate(min_score=50, strict=True, rules=(Rule(("drafts/",), level=level),))
    unsure = ImageRecord("drafts/b.png", 40.0, width=8, height=8)
    assert unsure.reliability != "ok"
    records = [replace(UNREAD, path="drafts/c.jpg"), unsure, UNREAD]
    judged = list(apply_gate((each for each in records), gate))
    assert [gate_status(record) for record in judged] == [
        "warned", "passed" if level == "off" else "warned", "unreadable",
    ]  # fmt: skip
    assert judged[0].findings[0].message == "c.jpg ends early."
    assert describe_findings(Gate().apply(UNREAD)) == "c.jpg ends early."


def test_the_worst_come_first_and_warnings_last() -> None:
    gate = Gate(min_score=50, rules=(Rule(("w*",), level="warn"),))
    records = [
        gate.apply(record)
        for record in (ImageRecord("w.jpg", 1.0), ImageRecord("b.jpg", 40.0), ImageRecord("a.jpg", 9.0), UNREAD)
    ]
    fine = gate.apply(ImageRecord("fine.jpg", 60.0))
    assert [record.path for record in worst_first([fine, *records])] == ["c.jpg", "a.jpg", "b.jpg", "w.jpg"]


@pytest.mark.parametrize(
    ("statuses", "gated", "said"),
    [
        ({"passed": 4}, True, "4 checked, all passed"),
        ({"passed": 1, "failed": 2, "warned": 3, "unreadable": 1},
         True, "7 checked: 2 failed, 3 with a warning, 1 not readable"),
        ({"passed": 4}, False, "4 pictures, no gate set"),
        ({}, True, "0 checked: there was no picture to check"),
    ],
)  # fmt: skip
def test_the_conclusion_is_said_plainly(statuses: dict[str, int], gated: bool, said: str) -> None:
    assert gate_summary(Counter(statuses), gated=gated) == said


@pytest.mark.parametrize("limits", [{"min_score": 101.0}, {"min_score": math.nan}, {"max_drop": -1.0}])
def test_impossible_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        Gate(**limits)
    with pytest.raises(SettingError):
        Gate(rules=(Rule(("*.jpg",), **limits),))


def test_remarks_can_be_forbidden_for_all_and_more_for_some_files(tmp_path: Path) -> None:
    gate = Gate(forbid=("underexposed",), rules=(Rule(("shop/*",), forbid=("warm cast",)),), folder=tmp_path)
    dark = ImageRecord(str(tmp_path / "a.jpg"), 90.0, remarks=("underexposed", "warm cast"))
    assert [finding.message for finding in gate.apply(dark).findings] == [
        "has the remark underexposed, which the gate forbids"
    ]
    warm = ImageRecord(str(tmp_path / "shop" / "a.jpg"), 90.0, remarks=("warm cast",))
    assert gate.apply(warm).status == "failed"
    assert gate.apply(replace(warm, path=str(tmp_path / "b.jpg"))).status == "ok"
    assert gate.judges
    with pytest.raises(SettingError, match="no remark 'dark'; it can be black and white, low key"):
        Gate(forbid=("dark",))


def test_faults_at_100_percent_can_be_limited_for_all_and_for_some_files(tmp_path: Path) -> None:
    soft = AtFullSize(2.5, 0.2, 0.0, (0, 0, 128, 128))
    gate = Gate(max_faults={"focus": 2}, rules=(Rule(("art/*",), max_faults={"focus": 4}),), folder=tmp_path)
    failed = gate.apply(ImageRecord(str(tmp_path / "a.jpg"), 90.0, at_full_size=soft))
    assert failed.status == "failed"
    assert [finding.message for finding in failed.findings] == [
        "has a focus fault of 2.5 at 100 %, above the limit of 2"
    ]
    assert gate.apply(ImageRecord(str(tmp_path / "art" / "a.jpg"), 90.0, at_full_size=soft)).status == "ok"
    assert gate.apply(ImageRecord(str(tmp_path / "b.jpg"), 90.0)).status == "ok"
    assert gate.judges
    for wrong in ({"focus": 5}, {"hue": 1}):
        with pytest.raises(SettingError, match="limit at 100 %"):
            Gate(max_faults=wrong)
