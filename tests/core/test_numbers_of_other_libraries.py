"""Numbers of NumPy, and fractions, as they come out of loops, columns and computations, are as good as Python's own."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pictures import save_noise

import shamisa_cli
from shamisa_cli.core.arguments import AtLeast, checked
from shamisa_cli.core.models.loading import Model


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return shamisa_cli.load_model(tiny_model, device="cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    save_noise(tmp_path_factory.mktemp("numbers") / "photos", [(120, 80)] * 3, blur=2)
    return next(tmp_path_factory.getbasetemp().glob("numbers*")) / "photos"


@pytest.mark.parametrize("number", [np.int64(40), np.uint8(40), np.int32(40)])
def test_whole_numbers_are_taken_and_become_pythons_own(number: Any, model: Any, photos: Path, tmp_path: Path) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    with shamisa_cli.Cache(tmp_path / "cache", limit=np.int64(40_000_000)) as cache:
        for settings in ({"cache": cache}, {}):
            score = shamisa_cli.score(photos, model, view_size=number, jobs=number, **settings)
            assert score == shamisa_cli.score(photos, model, view_size=40, jobs=40)
            features = shamisa_cli.embed(photos, model, view_size=number, **settings)
            assert (features == shamisa_cli.embed(photos, model, view_size=40)).all()
    files = sorted(photos.iterdir())
    assert shamisa_cli.score_to_file(model, files, tmp_path / "t.parquet", view_size=number).rows == 3
    assert shamisa_cli.score_to_file(model, files, tmp_path / "t.parquet", view_size=40).reused == 3
    one, other = (shamisa_cli.degrade(pixels, "white noise", 2, seed=each) for each in (number, 40))
    assert (one == other).all()
    assert json.dumps(vars(shamisa_cli.ProbeSettings(seed=number, splits=number)), default=str)


@pytest.mark.parametrize("number", [Fraction(81, 2), np.float32(40.5), np.float64(40.5)])
def test_numbers_are_taken_and_become_pythons_own(number: Any, model: Any, photos: Path) -> None:
    found = shamisa_cli.score(photos, model, min_score=number)
    assert [record.to_json() for record in found] == [
        record.to_json() for record in shamisa_cli.score(photos, model, min_score=40.5)
    ]
    decisions = shamisa_cli.cull(photos, model, below=number, keep_best=number)
    expected = shamisa_cli.cull(photos, model, below=40.5, keep_best=40.5)
    assert [each.reason for each in decisions] == [each.reason for each in expected]
    assert json.dumps([each.to_json() for each in decisions])


def test_every_checked_number_is_one_of_python() -> None:
    def function(*, whole: int, real: float, several: list[float], least: float | None, true: bool) -> list[type]:
        return [type(each) for each in (whole, real, *several, least, true)]

    function.__annotations__ = {key: str(value) for key, value in {
        "whole": "int", "real": "float", "several": "list[float]", "least": "float | None", "true": "bool",
    }.items()}  # fmt: skip
    taken: Any = checked(function, "function", {"AtLeast": AtLeast}.__getitem__)
    found = taken(whole=np.int16(3), real=np.float16(3), several=[Fraction(1, 3), 2], least=np.int8(3), true=np.True_)
    assert found == [int, float, float, int, float, bool]
