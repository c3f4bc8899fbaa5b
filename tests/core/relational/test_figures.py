"""The pictures of a comparison show what changed, where, and in which direction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.relational.figures import (
    ComparisonMapWriter,
    changed_maps,
    comparison_figure,
    overall_map,
    overlay,
)
from shamisa_cli.core.relational.records import AXES, ENDS, OVERALL, Candidate

GREY = np.full((80, 120, 3), 128, dtype=np.uint8)


def maps(**values: float) -> dict[str, np.ndarray]:
    """Zero but for the right half of those named."""
    found = {name: np.zeros((10, 15), dtype=np.float32) for name in (*ENDS, OVERALL)}
    for name, value in values.items():
        found[name][:, 8:] = value
    return found


def candidate(**values: float) -> Candidate:
    drawn = maps(**values)
    means = {name: float(values.mean()) for name, values in drawn.items()}
    return Candidate(
        "out/a.png", "ref/a.png", score=-12.0, overall=means[OVERALL], maps=drawn,
        groups={name: means[name] for name in GROUPS}, axes={name: means[name] for name in AXES},
    )  # fmt: skip


def test_the_strongest_changes_come_first_and_tiny_ones_not_at_all() -> None:
    assert changed_maps(maps(noise=1.0, blur=-2.0, contrast=0.05)) == ["blur", "noise"]
    speck = maps()
    speck["spatial"][:1, :2] = 3.0
    assert changed_maps(speck) == ["spatial"]


@pytest.mark.parametrize(
    ("name", "value", "strongest"),
    [("noise", 3.0, 0), ("noise", -3.0, 2), ("overall", 3.0, 0), ("brightness", -3.0, 1)],
)
def test_red_is_worse_blue_is_better_and_what_did_not_change_stays_grey(
    name: str, value: float, strongest: int
) -> None:
    drawn = overlay(GREY, maps(**{name: value})[name], name)
    assert drawn.shape == GREY.shape
    assert np.argmax(drawn[40, 110]) == strongest
    assert set(drawn[40, 10].tolist()) == {128}


def test_large_pictures_are_drawn_smaller() -> None:
    large = np.zeros((1000, 3200, 3), dtype=np.uint8)
    assert overlay(large, np.zeros((125, 400), dtype=np.float32), OVERALL).shape == (500, 1600, 3)


def test_the_figure_holds_both_pictures_and_a_panel_for_each_change() -> None:
    few = comparison_figure(candidate(overall=2.0), GREY, GREY)
    many = comparison_figure(candidate(overall=2.0, noise=2.0, blur=1.5, colour=1.0, contrast=0.9), GREY, GREY)
    assert many.width >= few.width
    assert many.height > few.height + 200
    assert overall_map(candidate(overall=2.0), GREY).height > 80


def test_every_candidate_gets_a_folder_and_stale_groups_go(tmp_path: Path) -> None:
    named = [Path("out/a.png"), Path("out/deep/a.png")]
    writer = ComparisonMapWriter(tmp_path / "maps", named)
    writer(candidate(noise=2.0, overall=2.0), GREY, GREY)
    writer(replace(candidate(blur=2.0), path="out/deep/a.png"), GREY, GREY)
    folder = tmp_path / "maps"
    assert sorted(path.name for path in (folder / "a.png").iterdir()) == ["figure.png", "noise.png", "overall.png"]
    assert (folder / "deep" / "a.png" / "blur.png").is_file()
    (folder / "a.png" / "mine.txt").write_text("stays")
    writer(candidate(blur=2.0, overall=2.0), GREY, GREY)
    assert sorted(path.name for path in (folder / "a.png").iterdir()) == [
        "blur.png", "figure.png", "mine.txt", "overall.png",
    ]  # fmt: skip
    with Image.open(folder / "a.png" / "blur.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (120, 80))
