"""Two models against each other on scored pictures, and the picture of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.scale import linear_scale
from shamisa_cli.core.records import ErrorRecord, ImageRecord, ModelIdentity
from shamisa_cli.core.scoring.gmad import Gmad, gmad, level_name
from shamisa_cli.core.scoring.gmad_figure import COLOURS, draw_gmad, gmad_figure


def records(marks: list[float], *, unreadable: int | None = None) -> list[ImageRecord]:
    made = [ImageRecord(f"{row}.jpg", min(100.0, 25 * mark), mark) for row, mark in enumerate(marks)]
    if unreadable is not None:
        made[unreadable] = ImageRecord(f"{unreadable}.jpg", status="error", error=ErrorRecord("empty", "empty"))
    return made


A = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5]
B = [0.5, 1.0, 1.5, 4.5, 2.0, 2.5, 3.0, 3.5]
"""b thinks that picture 3, in the middle for a, is the best of all."""


def test_a_pair_comes_with_both_scores_both_places_and_what_people_said(model: Model) -> None:
    other = replace(model, identity=ModelIdentity("other", model.revision))
    found = gmad((model, other), (records(A), records(B)), [10.0 + row for row in range(8)], levels=1)
    first = found.duels[0]
    assert (first.pair.defender, first.pair.attacker, first.level) == ("a", "b", "all")
    assert (first.better.path, first.worse.path) == ("3.jpg", "2.jpg")
    assert first.better.scores == {"a": 50.0, "b": 100.0}  # a score ends at 100
    assert first.better.places == {"a": pytest.approx(3 / 7), "b": 1.0}
    assert (first.better.mos, first.worse.mos) == (13.0, 12.0)
    assert found.to_json()["pairs"][0]["gap"] == pytest.approx(5 / 7)
    assert [found.name("a"), found.name("b")] == ["tiny", "other"]
    assert [gmad((model, model), (records(A), records(B))).name(each) for each in ("a", "b")] == [
        "tiny (a)",
        "tiny (b)",
    ]


def test_a_model_whose_marks_count_impairment_is_turned_round(model: Model) -> None:
    assert model.probe is not None
    impairment = replace(model, probe=replace(model.probe, scale=linear_scale(5.0, 0.0)))
    straight = gmad((model, model), (records(A), records(B)), levels=1)
    turned = [replace(record, mos=5.0 - (record.mos or 0.0)) for record in records(B)]
    assert gmad((model, impairment), (records(A), turned), levels=1).duels == straight.duels


def test_pictures_that_one_model_could_not_score_are_left_out(model: Model) -> None:
    found = gmad((model, model), (records(A), records(B, unreadable=3)), levels=1)
    assert found.count == 7
    assert "3.jpg" not in {picture.path for duel in found.duels for picture in (duel.better, duel.worse)}


def test_levels_have_names_a_person_would_use() -> None:
    assert [level_name(level, 3) for level in range(3)] == ["low", "middle", "high"]
    assert level_name(4, 5) == "5 of 5"


def blue_and_orange(sheet: Image.Image) -> tuple[int, int]:
    """How many pixels of the bars each model has."""
    pixels = np.asarray(sheet).reshape(-1, 3)
    colours = [np.array([int(COLOURS[each][k : k + 2], 16) for k in (1, 3, 5)]) for each in ("a", "b")]
    counted = [int((pixels == colour).all(axis=1).sum()) for colour in colours]
    return counted[0], counted[1]


def test_the_figure_shows_the_pictures_and_bars_as_long_as_the_scores(model: Model) -> None:
    found = gmad(
        (model, replace(model, identity=ModelIdentity("other", model.revision))), (records(A), records(B)), levels=1
    )
    asked: list[str] = []

    def read(path: str) -> np.ndarray | None:
        asked.append(path)
        return None if path == "2.jpg" else np.full((40, 60, 3), (1, 200, 2), np.uint8)

    sheet = gmad_figure(found, read)
    assert asked == [picture.path for duel in found.duels for picture in (duel.better, duel.worse)]
    green = int((np.asarray(sheet) == (1, 200, 2)).all(axis=2).sum())
    shown = sum(path != "2.jpg" for path in asked)
    assert green == shown * 320 * 213  # 60 × 40 in a cell of 320 × 240
    scores = [
        sum(picture.scores[each] for duel in found.duels for picture in (duel.better, duel.worse))
        for each in ("a", "b")
    ]
    blue, orange = blue_and_orange(sheet)
    squares = 13 * 13  # of the legend
    assert (blue - squares) / (orange - squares) == pytest.approx(scores[0] / scores[1], rel=0.02)


def test_a_figure_without_pairs_is_still_a_picture(model: Model, tmp_path: Path) -> None:
    nothing = Gmad(gmad((model, model), (records(A), records(B))).models, 8, ())
    draw_gmad(tmp_path / "figure.png", nothing)
    with Image.open(tmp_path / "figure.png") as sheet:
        assert sheet.format == "PNG"
