"""A score as a sum over pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shamisa_cli as shamisa
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.scoring.map_split import split_model_score
from shamisa_cli.core.scoring.pipeline import score_files
from shamisa_cli.core.scoring.score_map import resized

SIDES = st.integers(1, 12)


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 99))
def test_another_grid_keeps_the_sum_of_a_map(rows: int, columns: int, height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    result = resized(values, height, width)
    assert result.shape == (height, width)
    assert result.sum() == pytest.approx(values.sum(), abs=1e-9)


@given(SIDES, SIDES, SIDES, SIDES)
def test_an_even_map_stays_even(rows: int, columns: int, height: int, width: int) -> None:
    np.testing.assert_allclose(
        resized(np.full((rows, columns), 1 / (rows * columns)), height, width) * height * width, 1
    )


def test_cells_become_blocks_on_a_grid_that_is_a_multiple() -> None:
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(resized(values, 4, 9), np.kron(values, np.ones((2, 3))) / 6, atol=1e-12)


def test_the_pixels_sum_to_the_score(model: Model, photos: list[Path]) -> None:
    assert model.probe is not None
    length = len(model.probe.weights)
    rng = np.random.default_rng(3)
    probe = replace(
        model.probe,
        feature_mean=rng.normal(size=length),
        feature_scale=rng.uniform(0.5, 2, length),
    )
    found = split_model_score(replace(model, probe=probe), decode(photos[0], view_size=64).pixels)
    expected = 100 * probe.predict(model.encoder.embed(decode(photos[0], view_size=64).pixels)[None])[0]
    assert found.points.shape == (43, 64)
    assert found.score == pytest.approx(expected, abs=1e-4)
    assert found.local.mean() == pytest.approx(expected, abs=1e-4)
    assert found.average == pytest.approx(50)


def test_a_score_outside_the_scale_is_clipped_and_its_map_is_not(model: Model, photos: list[Path]) -> None:
    assert model.probe is not None
    beyond = replace(model, probe=replace(model.probe, bias=2.0))
    assert beyond.probe is not None
    (record,) = score_files(beyond, photos[:1])
    assert record.score == 100
    assert record.mos == beyond.probe.scale.mos(np.ones(1))[0]  # no rating beyond the human scale
    assert shamisa.score_map(photos[0], beyond).score > 150


def test_a_map_in_one_call_is_that_of_the_score(model: Model, photos: list[Path]) -> None:
    (record,) = score_files(model, photos[2:3])
    assert shamisa.score_map(photos[2], model).score == pytest.approx(record.score, abs=1e-4)
    assert shamisa.score_map(str(photos[2]), model, view_size=None).points.shape == (94, 120)
