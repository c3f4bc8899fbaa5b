"""Scores and features from the cache: the very same ones, under the same conditions, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.defects import DefectProbe
from shamisa_cli.core.probe.familiarity import Familiarity, Usual
from shamisa_cli.core.probe.intervals import Interval
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring import provenance
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.pipeline import embed_files, feature_cache, score_files
from shamisa_cli.core.scoring.score_columns import COLUMNS, score_record, score_row


class Counting:
    """An encoder that says how often it was used."""

    concurrent = False
    runtime = "torch"
    device = "cpu"

    def __init__(self, model: Model) -> None:
        self._encoder = model.encoder
        self.config: EncoderConfig = model.encoder.config
        self.feature_length = model.encoder.feature_length
        self.uses = 0

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        self.uses += 1
        return self._encoder.embed(pixels)


@pytest.fixture
def counting(model: Model) -> Model:
    return replace(model, encoder=Counting(model))  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache") as cache:
        yield cache


def scored(model: Model, paths: list[Path], cache: Cache | None, **settings: object) -> list[ImageRecord]:
    return list(score_files(model, paths, cache=cache, jobs=2, **settings))  # type: ignore[arg-type]


def uses(model: Model) -> int:
    assert isinstance(model.encoder, Counting)
    return model.encoder.uses


def test_a_second_run_embeds_nothing_and_gives_the_same_records(
    counting: Model, photos: list[Path], cache: Cache
) -> None:
    assert counting.probe is not None
    interval = Interval(0.9, np.array([0.2, 0.8]), np.array([0.1, 0.07]), 1.1, 0.9)
    model = replace(counting, probe=replace(counting.probe, interval=interval))
    plain = scored(model, photos, None)
    assert scored(model, photos, cache) == plain
    before = uses(model)
    assert scored(model, photos, cache) == plain
    assert uses(model) == before


def test_doubts_about_the_kind_of_picture_come_back(counting: Model, photos: list[Path], cache: Cache) -> None:
    assert counting.probe is not None
    length = counting.encoder.feature_length
    strange = Familiarity(np.array([length]), Usual(np.full(1, 50.0), np.eye(1), 1.0))
    model = replace(counting, probe=replace(counting.probe, familiarity=strange))
    first = scored(model, photos, cache)
    assert {record.reliability_reasons[-1] for record in first} == {"unfamiliar picture"}
    assert scored(model, photos, cache) == first
    assert score_record(dict.fromkeys(column.name for column in COLUMNS) | score_row(first[0])).reliability == "low"


def test_a_picture_is_known_by_its_content_whatever_its_name(counting: Model, photos: list[Path], cache: Cache) -> None:
    (first,) = scored(counting, photos[:1], cache)
    renamed = photos[0].rename(photos[0].with_name("other name.jpg"))
    (second,) = scored(counting, [renamed], cache)
    assert second == replace(first, path=str(renamed))
    assert uses(counting) == 1
    renamed.write_bytes(photos[1].read_bytes())  # the name stays, the content changes
    (third,) = scored(counting, [renamed], cache)
    assert third.score != second.score


def test_other_conditions_are_other_entries(
    counting: Model, photos: list[Path], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counting.probe is not None
    (first,) = scored(counting, photos[:1], cache)
    (smaller,) = scored(counting, photos[:1], cache, view_size=40)
    assert smaller.score != first.score
    assert uses(counting) == 2
    (otherwise,) = scored(replace(counting, probe=replace(counting.probe, bias=0.4)), photos[:1], cache)
    assert otherwise.score != first.score
    scored(replace(counting, encoder_fingerprint="other"), photos[:1], cache)
    assert uses(counting) == 4
    monkeypatch.setattr(provenance, "version", lambda _package: "99")
    scored(counting, photos[:1], cache)
    assert uses(counting) == 5


def test_defects_come_back_and_belong_to_their_probe(counting: Model, photos: list[Path], cache: Cache) -> None:
    length = counting.encoder.feature_length
    groups = ("blur", "colour", "compression", "noise", "brightness", "spatial", "contrast")
    rng = np.random.default_rng(1)
    defects = DefectProbe(
        groups, rng.normal(0, 1, (7, length)), np.ones(7), np.zeros(length), np.ones(length), np.zeros(7), "tiny"
    )
    model = replace(counting, defects=defects)
    first = scored(model, photos, cache)
    assert first[0].defects is not None
    assert scored(model, photos, cache) == first
    other = scored(replace(counting, defects=replace(defects, bias=2 * np.ones(7))), photos, cache)
    assert [record.score for record in other] == [record.score for record in first]
    assert [record.defects for record in other] != [record.defects for record in first]


def test_scores_come_from_features_that_are_known(counting: Model, photos: list[Path], cache: Cache) -> None:
    result_cache = feature_cache(cache, counting)
    first = list(embed_files(counting.encoder, photos, result_cache=result_cache))
    again = list(embed_files(counting.encoder, photos, result_cache=result_cache))
    for one, other in zip(first, again, strict=True):
        assert one.features is not None
        assert other.features is not None
        assert one.features.tobytes() == other.features.tobytes()
        assert (one.width, one.height) == (other.width, other.height)
    assert scored(counting, photos, cache) == scored(counting, photos, None)
    assert uses(counting) == 2 * len(photos)


def test_a_limit_on_pixels_holds_for_known_pictures_too(counting: Model, photos: list[Path], cache: Cache) -> None:
    scored(counting, photos, cache)
    refused = scored(counting, photos, cache, max_pixels=120 * 90)
    assert [record.error.kind if record.error else None for record in refused] == [
        "too-large" if n > 1 else None for n in range(9)
    ]


def test_what_cannot_be_read_is_tried_again(counting: Model, broken: Path, photos: list[Path], cache: Cache) -> None:
    plain = scored(counting, [broken, broken.with_name("gone.jpg"), broken.parent], None)
    assert scored(counting, [broken, broken.with_name("gone.jpg"), broken.parent], cache) == plain
    broken.write_bytes(photos[0].read_bytes())
    (mended,) = scored(counting, [broken], cache)
    assert mended.score is not None


def test_who_watches_gets_the_pixels_of_known_pictures(counting: Model, photos: list[Path], cache: Cache) -> None:
    seen: list[tuple[ImageRecord, bytes]] = []

    def watch(record: ImageRecord, pixels: np.ndarray) -> None:
        seen.append((record, pixels.tobytes()))

    scored(counting, photos, cache, watch=watch)
    before, first = uses(counting), list(seen)
    seen.clear()
    scored(counting, photos, cache, watch=watch)
    assert seen == first
    assert uses(counting) == before


def test_very_large_files_are_scored_without_the_cache(
    counting: Model, photos: list[Path], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shamisa_cli.core.scoring.scorer.MAX_CACHED_FILE_BYTES", 100)
    assert scored(counting, photos, cache) == scored(counting, photos, cache)
    assert uses(counting) == 2 * len(photos)
