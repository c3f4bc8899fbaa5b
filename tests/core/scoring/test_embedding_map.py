"""The values by which a map of pictures is coloured, and its thumbnails."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.errors import ModelError, MosTableError, SettingError
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.scoring.embedding_map import (
    Colouring,
    LabelTable,
    check_column,
    colouring,
    embedding_map,
    thumbnails,
    value_counts,
)
from shamisa_cli.core.scoring.pipeline import embed_files, score_files


@pytest.fixture
def features(model: Model, photos: list[Path]) -> np.ndarray:
    found = [embedding.features for embedding in embed_files(model.encoder, photos)]
    return np.stack([row for row in found if row is not None])


def table(folder: Path, text: str) -> LabelTable:
    (folder / "labels.csv").write_text(text)
    return LabelTable(folder / "labels.csv")


def test_scores_are_those_that_score_gives(model: Model, photos: list[Path], features: np.ndarray) -> None:
    found = colouring("score", photos, features, model)
    assert found.numeric
    assert list(found.values) == pytest.approx([record.score for record in score_files(model, photos)])


def test_a_column_of_numbers_is_numeric_and_one_with_a_word_is_text(
    model: Model, photos: list[Path], features: np.ndarray
) -> None:
    rows = ["image,severity,operator", "0.jpg,1.5,blur", "1.jpg,,", "2.jpg,4,JPEG"]
    labels = table(photos[0].parent, "\n".join(rows) + "\n")
    severity = colouring("severity", photos, features, model, labels)
    assert severity.values[:4] == (1.5, None, 4.0, None)  # an empty cell, and a picture without a row
    assert severity.numeric
    operator = colouring("operator", photos, features, model, labels)
    assert operator.values[:4] == ("blur", None, "JPEG", None)
    assert not operator.numeric


def test_pictures_are_found_whatever_their_path_is_typed_like(
    model: Model, photos: list[Path], features: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = table(photos[0].parent.parent, "image,kind\nphotos/0.jpg,first\n")
    monkeypatch.chdir(photos[0].parent)
    typed = [Path(path.name) for path in photos]
    assert colouring("kind", typed, features, model, labels).values[0] == "first"


def test_folders_are_named_from_where_they_part(model: Model) -> None:
    nothing = np.zeros((3, 4), np.float32)
    nested = [Path("shoot/a/1.jpg"), Path("shoot/a/2.jpg"), Path("shoot/b/deep/3.jpg")]
    assert colouring("folder", nested, nothing, model).values == ("a", "a", "b/deep")
    assert colouring("folder", nested[:2], nothing, model).values == ("a", "a")


def test_columns_that_are_not_there_are_said(model: Model, photos: list[Path], features: np.ndarray) -> None:
    with pytest.raises(SettingError, match="no column 'operator'"):
        check_column("operator", None)
    labels = table(photos[0].parent, "image,operator\nelsewhere.jpg,blur\n")
    with pytest.raises(MosTableError, match=r"'operater' is missing.*Did you mean 'operator'"):
        check_column("operater", labels)
    with pytest.raises(SettingError, match="no row for any of the pictures"):
        colouring("operator", photos, features, model, labels)
    with pytest.raises(ModelError, match="no probe"):
        colouring("score", photos, features, replace(model, probe=None))
    with pytest.raises(SettingError, match="has no defect probe"):
        colouring("blur", photos, features, model)


def test_a_map_holds_places_of_the_centred_features(photos: list[Path]) -> None:
    features = np.zeros((9, 3), np.float32)
    features[:, 0] = [100, 100, 100, -100, -100, -100, 0, 0, 0]  # the photograph
    features[:, 1] = [-1, 0, 1] * 3  # what was done to it
    photo = Colouring("photo", ("a",) * 3 + ("b",) * 3 + ("c",) * 3)
    found = embedding_map(photos, features, [photo], centre_by=photo)
    assert found.centred_by == "photo"
    assert found.paths == tuple(map(str, photos))
    apart = np.linalg.norm(found.places[:, None] - found.places, axis=2)
    assert apart[0, 3] < apart[0, 1]  # the same change of two photographs lies nearer than two changes of one


def test_identifiers_of_many_digits_stay_apart(photos: list[Path], features: np.ndarray, model: Model) -> None:
    rows = "".join(f"{path.name},{1234567890123456780 + place % 3},0{place}\n" for place, path in enumerate(photos))
    labels = table(photos[0].parent, f"image,id,number\n{rows}")
    long = colouring("id", photos, features, model, labels)
    assert not long.numeric
    assert len(set(long.names)) == 3
    short = colouring("number", photos, features, model, labels)
    assert short.numeric
    assert short.names == [f"0{place}" for place in range(len(photos))]


def test_thumbnails_are_small_webp_files(photos: list[Path], broken: Path) -> None:
    done: list[int] = []
    found = thumbnails([*photos, broken], jobs=2, advance=done.append)
    assert set(found) == set(map(str, photos))
    assert sum(done) == len(photos) + 1
    with Image.open(io.BytesIO(found[str(photos[8])])) as picture:
        assert picture.format == "WEBP"
        assert picture.size == (120, 136)


def test_texts_are_ordered_by_how_many_pictures_have_them() -> None:
    assert list(value_counts(["b", "a", None, "c", "c", "a"]).items()) == [("a", 2), ("c", 2), ("b", 1)]
