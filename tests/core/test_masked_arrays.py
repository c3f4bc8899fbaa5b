"""An array that hides some of its values is refused wherever arrays are taken: the hidden ones would count, in part."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shamisa_cli
from shamisa_cli import SettingError

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
HIDDEN = np.zeros(PIXELS.shape, bool)
HIDDEN[:, :20] = True
MASKED = np.ma.masked_array(PIXELS, HIDDEN)
OPEN = np.ma.masked_array(PIXELS)
"""A masked array of which nothing is hidden: as good as any other."""
PATHS = tuple(Path(str(row)) for row in range(64))


@pytest.fixture(scope="module")
def models(tiny_model: Path, relational_folder: Path) -> tuple[Any, Any]:
    relates = shamisa_cli.load_relational_model(relational_folder, scorer=tiny_model)
    return shamisa_cli.load_model(tiny_model, device="cpu"), relates


TAKE: dict[str, Callable[[Any, Any, Any], object]] = {
    "score": lambda array, model, _: shamisa_cli.score(array, model)[0].score,
    "score, a generator": lambda array, model, _: shamisa_cli.score((each for each in [array]), model)[0].score,
    "embed": lambda array, model, _: shamisa_cli.embed([array], model).tolist(),
    "score_map": lambda array, model, _: shamisa_cli.score_map(array, model).points.tolist(),
    "compare, the reference": lambda array, _, comparer: shamisa_cli.compare(array, PIXELS // 2, comparer).candidates,
    "compare": lambda array, _, comparer: shamisa_cli.compare(PIXELS // 2, [array], comparer).candidates[0].score,
    "compare, a generator": lambda array, _, comparer: (
        shamisa_cli.compare(PIXELS // 2, (each for each in [array]), comparer).candidates[0].score
    ),
    "rank": lambda array, _, comparer: [each.score for each in shamisa_cli.rank([array, PIXELS], comparer).pictures],
    "judge": lambda array, _, comparer: comparer.judge(PIXELS // 2, array).difference,
    "relate": lambda array, _, comparer: comparer.relate(array, PIXELS // 2).judgement.score,
    "degrade": lambda array, _model, _comparer: shamisa_cli.degrade(array, "JPEG", 2).tolist(),
    "human scores": lambda array, _model, _comparer: shamisa_cli.MosTable(PATHS, array[30, :, 0] * 1.0).mos.tolist(),
    "rows of a table": lambda array, _model, _comparer: (
        shamisa_cli.MosTable(PATHS, np.arange(64.0)).take(array[30, :, 0] > 99).mos.tolist()
    ),
}
"""By name, each with an array, a model that scores and one that compares."""


def test_these_are_all_public_functions_that_take_arrays() -> None:
    kinds = ("ImageInput", "Pictures", "Pixels", "NDArray")
    functions = {name: getattr(shamisa_cli, name) for name in shamisa_cli.__all__}
    taking = {
        name
        for name, value in functions.items()
        if inspect.isfunction(value)
        and any(kind in each.annotation for each in inspect.signature(value).parameters.values() for kind in kinds)
    }
    assert taking == {call.partition(",")[0] for call in TAKE} & set(functions)


@pytest.mark.parametrize("call", TAKE)
def test_arrays_with_hidden_values_are_refused_in_a_sentence_and_others_count_as_they_are(
    call: str, models: tuple[Any, Any]
) -> None:
    with pytest.raises(SettingError, match="masked array"):
        TAKE[call](MASKED, *models)
    for array in (OPEN, PIXELS.view(np.recarray)):
        assert type(TAKE[call](array, *models)) is type(TAKE[call](PIXELS, *models))
        if call != "compare, the reference":
            assert TAKE[call](array, *models) == TAKE[call](PIXELS, *models)


def test_a_masked_tensor_is_refused_in_a_sentence(tiny_model: Path) -> None:
    import torch
    from torch.masked import masked_tensor

    images = torch.rand(1, 3, 64, 64)
    with pytest.warns(UserWarning, match="MaskedTensor"):
        masked = masked_tensor(images, images > 0.5)
    with pytest.raises(SettingError, match="MaskedTensor"):
        shamisa_cli.TensorScorer(str(tiny_model))(masked)
