from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.core.records import ErrorRecord, ImageRecord, summarise


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_a_summary_describes_the_scores_as_the_standard_library_does(scores: list[float]) -> None:
    summary = summarise(ImageRecord("a.jpg", score) for score in scores)
    assert summary.mean == pytest.approx(statistics.fmean(scores))
    assert summary.median == pytest.approx(statistics.median(scores))
    assert (summary.lowest, summary.highest) == (min(scores), max(scores))


def test_pictures_without_a_score_are_counted_and_do_not_move_the_statistics() -> None:
    summary = summarise(
        [
            ImageRecord("a.jpg", 40.0, status="failed"),
            ImageRecord("b.jpg", 80.0),
            ImageRecord("c.jpg", status="error", error=ErrorRecord("truncated", "It ends early.")),
        ]
    )
    assert (summary.count, summary.errors, summary.failed, summary.mean) == (3, 1, 1, 60.0)


def test_a_summary_of_nothing_scored_has_no_statistics() -> None:
    assert summarise([]).to_json() == {
        "count": 0, "errors": 0, "failed": 0, "mean": None, "median": None, "min": None, "max": None,
    }  # fmt: skip


def test_json_of_a_picture_has_every_promised_key_in_order() -> None:
    record = ImageRecord("a.jpg", 50.0, 3.0, (45.0, 55.0), 640, 480, {"blur": 1.5})
    assert list(record.to_json().items()) == [
        ("path", "a.jpg"), ("score", 50.0), ("interval", [45.0, 55.0]), ("mos", 3.0), ("width", 640),
        ("height", 480), ("defects", {"blur": 1.5}), ("reliability", "ok"), ("reliability_reasons", []),
        ("at_100_percent", None),
        ("remarks", []),
        ("status", "ok"), ("error", None), ("findings", []),
        ("warnings", []),
    ]  # fmt: skip
