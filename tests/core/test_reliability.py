"""A score of a picture that shows too little is marked, whatever the model says."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pytest

from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ErrorRecord, ImageRecord
from shamisa_cli.core.scoring.gate import Gate, apply_gate, gate_status
from shamisa_cli.core.scoring.score_columns import DEFECT, SCORE_COLUMNS, score_record, score_row

COLUMNS = [*(column.name for column in SCORE_COLUMNS), *(f"{DEFECT}{group}" for group in GROUPS)]


@pytest.mark.parametrize(
    ("size", "reasons"),
    [
        ((224, 150), []),
        ((223, 150), ["low resolution"]),
        ((31, 31), ["low resolution"]),
        ((1, 1), ["low resolution"]),
        ((2000, 500), []),
        ((512, 51), ["extreme shape"]),
        ((10, 100), ["low resolution", "extreme shape"]),
    ],
)
def test_small_and_narrow_pictures_are_marked(size: tuple[int, int], reasons: list[str]) -> None:
    document = ImageRecord("a.jpg", 80.0, width=size[0], height=size[1]).to_json()
    assert document["reliability_reasons"] == reasons
    assert document["reliability"] == ("low" if reasons else "ok")


def test_pictures_of_a_kind_that_the_model_does_not_know_are_marked() -> None:
    document = ImageRecord("page.png", 80.0, width=800, height=600, familiar=False).to_json()
    assert document["reliability"] == "low"
    assert document["reliability_reasons"] == ["unfamiliar picture"]
    small = ImageRecord("icon.png", 80.0, width=48, height=48, familiar=False)
    assert small.reliability_reasons == ("low resolution", "unfamiliar picture")


def test_nothing_is_said_of_the_reliability_of_what_has_no_score() -> None:
    for kind in ("missing", "truncated", "not-a-number", "bad-request"):
        record = ImageRecord("a.jpg", width=20, height=20, status="error", error=ErrorRecord(kind, "It failed."))
        assert (record.to_json()["reliability"], record.to_json()["reliability_reasons"]) == (None, [])
        assert score_row(record)["reliability"] is None
        assert score_record({**dict.fromkeys(COLUMNS), **score_row(record)}).reliability is None


def test_strict_judges_no_picture_whose_score_is_unreliable() -> None:
    def given(records: Iterable[ImageRecord]) -> Generator[ImageRecord, None, None]:
        yield from records

    records = [ImageRecord("icon.png", 80.0, width=48, height=48), ImageRecord("a.jpg", 80.0, width=800, height=600)]
    judged = list(apply_gate(given(records), Gate(strict=True)))
    assert [gate_status(record) for record in judged] == ["unreadable", "passed"]
    assert judged[0].score is None
    assert judged[0].reliability == score_row(judged[0])["reliability"] == "low"  # which is why
    assert judged[0].error is not None
    assert judged[0].error.kind == "not-judged"
    assert "low resolution" in judged[0].error.message
    assert [record.score for record in apply_gate(given(records), Gate())] == [80.0, 80.0]
