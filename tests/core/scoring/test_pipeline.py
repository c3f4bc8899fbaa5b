from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.scoring.gate import Gate, apply_gate
from shamisa_cli.core.scoring.pipeline import describe_run, embed_files, score_files


@pytest.fixture(params=["torch", "onnx"])
def model(request: pytest.FixtureRequest, torch_model: Model, exported: OnnxEncoder) -> Model:
    """The same model in every runtime."""
    return replace(torch_model, encoder=exported) if request.param == "onnx" else torch_model


def scores(model: Model, paths: list[Path], jobs: int) -> dict[str, float | None]:
    return {record.path: record.score for record in score_files(model, paths, jobs=jobs)}


def test_a_score_is_the_same_whatever_the_order_the_company_and_the_jobs(model: Model, photos: list[Path]) -> None:
    together = scores(model, photos, jobs=1)
    assert scores(model, photos[::-1], jobs=4) == together
    assert {str(path): scores(model, [path], jobs=2)[str(path)] for path in photos} == together
    assert len(set(together.values())) == len(photos)


def test_a_score_is_the_probe_on_the_encoder_on_the_decoded_picture(model: Model, photos: list[Path]) -> None:
    assert model.probe is not None
    picture = decode(photos[3], view_size=64)
    features = model.encoder.embed(picture.pixels)
    position = features.astype(np.float64) @ model.probe.weights + model.probe.bias
    (record,) = score_files(model, photos[3:4])
    assert record.mos == pytest.approx(1 + 4 * position)
    assert record.score == pytest.approx(100 * position)
    assert (record.width, record.height) == (120, 101)


def test_results_come_in_the_order_of_the_files(model: Model, photos: list[Path]) -> None:
    order = photos[4:] + photos[:4]
    assert [embedding.path for embedding in embed_files(model.encoder, order, jobs=3)] == order


def test_one_bad_file_stops_nothing(model: Model, photos: list[Path], broken: Path, tmp_path: Path) -> None:
    paths = [photos[0], broken, tmp_path / "gone.jpg", photos[1]]
    records = list(score_files(model, paths, jobs=2))
    assert [record.status for record in records] == ["ok", "error", "error", "ok"]
    assert [record.error.kind for record in records if record.error] == ["not-an-image", "missing"]


def test_pictures_under_the_bar_fail_and_a_score_on_the_bar_passes(model: Model, photos: list[Path]) -> None:
    found = [record.score for record in score_files(model, photos) if record.score is not None]
    bar = sorted(found)[4]
    statuses = [record.status for record in apply_gate(score_files(model, photos), Gate(min_score=bar))]
    assert statuses == ["failed" if score < bar else "ok" for score in found]
    assert statuses.count("failed") == 4


def test_a_model_that_gives_no_number_makes_an_error_and_not_a_score(model: Model, photos: list[Path]) -> None:
    class Blind:
        def predict(self, features: np.ndarray) -> np.ndarray:
            return np.full(len(features), np.nan)

    (record,) = score_files(replace(model, probe=Blind()), photos[:1])  # type: ignore[arg-type]
    assert (record.status, record.score) == ("error", None)
    assert record.error is not None
    assert record.error.kind == "not-a-number"


def test_an_endless_list_is_read_only_as_far_as_needed(model: Model, photos: list[Path]) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        for path in itertools.cycle(photos):
            taken += 1
            yield path

    records = score_files(model, endless(), jobs=2)
    first = list(itertools.islice(records, 3))
    records.close()
    assert len(first) == 3
    assert taken <= 3 + 2 * 2 + 2


def test_an_abandoned_run_leaves_no_thread_behind(model: Model, photos: list[Path]) -> None:
    records = score_files(model, itertools.cycle(photos), jobs=3)
    next(records)
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("read")]
    assert readers
    records.close()
    for thread in readers:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in readers)


def test_the_view_size_can_be_the_models_a_number_or_native(model: Model, photos: list[Path]) -> None:
    def features(view_size: object) -> np.ndarray:
        (embedding,) = embed_files(model.encoder, photos[:1], view_size=view_size)  # type: ignore[arg-type]
        assert embedding.features is not None
        return embedding.features

    assert np.array_equal(features("model"), features(64))
    assert np.array_equal(features(None), features(5000))
    assert not np.array_equal(features("model"), features(None))
    assert describe_run(model, 96).model.preprocessing["view_size"] == 96


def test_impossible_settings_are_refused_before_any_file_is_read(model: Model) -> None:
    with pytest.raises(SettingError, match="jobs is 0"):
        score_files(model, [], jobs=0)
    with pytest.raises(SettingError, match="at least 32"):
        score_files(model, [], view_size=8)
    with pytest.raises(ModelError, match="no probe"):
        score_files(replace(model, probe=None), [])
