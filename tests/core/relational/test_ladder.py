"""The smallest quality of a codec that is good enough."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

import shamisa_cli as shamisa
from shamisa_cli.cli.reporters.comparison.ladder import LADDER_WRITERS
from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.judgement import Judgement
from shamisa_cli.core.relational.ladder import CODECS, climb

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
ORIGINAL = np.asarray(NOISE.filter(ImageFilter.GaussianBlur(2)))


class Meter:
    """Judges by the mean difference of grey levels, without a model."""

    def judge(self, a: Pixels, b: Pixels) -> Judgement:
        difference = min(100.0, 10 * float(np.abs(a.astype(float) - b).mean()))
        return Judgement(difference, -1.0, 50, np.zeros((1, 1), np.float32))


def score(codec: str, quality: int) -> float:
    stream = BytesIO()
    Image.fromarray(ORIGINAL).save(stream, CODECS[codec][0], quality=quality)
    return -Meter().judge(ORIGINAL, np.asarray(Image.open(stream).convert("RGB"))).difference


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["jpeg", "webp"]), st.floats(-100, 0), st.booleans())
def test_the_chosen_quality_reaches_the_target_and_the_one_below_does_not(
    codec: str, target: float, curve: bool
) -> None:
    found = climb(Meter(), ORIGINAL, codec, target, curve=curve)  # type: ignore[arg-type]
    highest = CODECS[codec][1]
    assert curve or len(found.steps) <= 7
    if found.chosen is None:
        assert score(codec, highest) < target
        return
    quality = found.chosen.quality
    assert found.chosen.score == score(codec, quality) >= target
    assert quality == 1 or score(codec, quality - 1) < target
    assert all(step.score >= target for step in found.steps if step.quality > quality)
    assert [step.quality for step in found.steps] == sorted(step.quality for step in found.steps)


class Flattered(Meter):
    """Takes all that an encoder does to noise for an improvement."""

    def judge(self, a: Pixels, b: Pixels) -> Judgement:
        return replace(super().judge(a, b), direction=1.0)


@pytest.mark.parametrize("codec", ["jpeg", "webp"])
def test_all_that_a_codec_changes_counts_as_damage_even_if_it_looks_better(codec: str) -> None:
    flattered, metered = (climb(model, ORIGINAL, codec, -20, curve=True) for model in (Flattered(), Meter()))  # type: ignore[arg-type]
    assert flattered == metered
    assert all(step.score == -step.difference <= 0 for step in flattered.steps)


def test_a_curve_spans_all_qualities_and_chooses_the_same() -> None:
    quick, whole = (climb(Meter(), ORIGINAL, "webp", -20, curve=curve) for curve in (False, True))  # type: ignore[arg-type]
    assert whole.chosen == quick.chosen is not None
    assert {1, 50, 100} <= {step.quality for step in whole.steps}


@pytest.mark.parametrize(("codec", "target"), [("gif", -10), ("jpeg", 1), ("jpeg", -101), ("jpeg", float("nan"))])
def test_what_cannot_be_climbed_is_refused(codec: str, target: float) -> None:
    with pytest.raises(shamisa.SettingError):
        climb(Meter(), ORIGINAL, codec, target)  # type: ignore[arg-type]


def test_a_ladder_is_written_in_every_format() -> None:
    ladders = [climb(Meter(), ORIGINAL, "jpeg", -30), climb(Meter(), ORIGINAL, "webp", 0)]  # type: ignore[arg-type]

    def written(format: str) -> str:
        stream = io.StringIO()
        LADDER_WRITERS[format](ladders, "a<b>.png", -30, stream)
        return stream.getvalue()

    assert ladders[0].chosen is not None
    assert f"jpeg: quality {ladders[0].chosen.quality}" in written("text")
    assert "webp: no quality reaches the target" in written("text")
    assert json.loads(written("json"))["ladders"][0]["chosen"]["quality"] == ladders[0].chosen.quality
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [row["quality"] for row in rows if row["chosen"] == "1"] == [str(ladders[0].chosen.quality)]
    assert len(ElementTree.fromstring(written("svg")).findall("{http://www.w3.org/2000/svg}polyline")) == 2
