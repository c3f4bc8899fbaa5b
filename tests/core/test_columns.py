"""Names in columns and arrays, as programs that go by tables hold them, in place of lists."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import shamisa_cli


class Column:
    """As columns of polars are: neither a sequence nor an array by its type."""

    def __init__(self, values: list[str]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def to_list(self) -> list[str]:
        return self._values


COLUMNS: list[Callable[[list[str]], Any]] = [
    lambda names: pytest.importorskip("pandas").Series(names),
    lambda names: pytest.importorskip("pandas").Series(names, dtype="category"),
    lambda names: pytest.importorskip("pyarrow").array(names),
    lambda names: pytest.importorskip("pyarrow").chunked_array([names]),
    lambda names: pytest.importorskip("polars").Series(names),
    Column,
    lambda names: np.array(names),
    lambda names: np.array(names, dtype=object),
]


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    for number in range(12):
        Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / f"{number:02}.png")
    return [str(path) for path in sorted(tmp_path.iterdir())]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_names_is_taken_for_the_list_of_them(
    pictures: list[str], tiny_model: Path, column: Callable[[list[str]], Any]
) -> None:
    names = column(pictures)
    model = shamisa_cli.load_model(tiny_model)
    assert shamisa_cli.discover(names) == shamisa_cli.discover(pictures)
    assert shamisa_cli.score(names, model) == shamisa_cli.score(pictures, model)
    table = shamisa_cli.MosTable(paths=names, mos=np.arange(12.0), groups=column(["a", "b"] * 6))
    assert table.paths == shamisa_cli.MosTable(paths=[Path(name) for name in pictures], mos=np.arange(12.0)).paths


def test_one_name_in_an_array_without_axes_is_refused_in_a_sentence(pictures: list[str], tiny_model: Path) -> None:
    model, name = shamisa_cli.load_model(tiny_model), np.array(pictures[0])
    for call in (
        lambda: shamisa_cli.cull(name),
        lambda: list(shamisa_cli.score_files(model, name)),
        lambda: shamisa_cli.plan_transfers(name, "best", "move"),
        lambda: shamisa_cli.discover(name),
    ):
        with pytest.raises(shamisa_cli.SettingError, match="an object of type ndarray was given"):
            call()


def test_entries_of_a_folder_are_paths_and_a_data_frame_is_refused(pictures: list[str], tiny_model: Path) -> None:
    model = shamisa_cli.load_model(tiny_model)
    with os.scandir(Path(pictures[0]).parent) as entries:
        assert len(shamisa_cli.score(entries, model)) == 12  # type: ignore[arg-type]
    frame = pytest.importorskip("pandas").DataFrame({"path": pictures})
    with pytest.raises(shamisa_cli.SettingError, match="an object of type DataFrame was given"):
        shamisa_cli.score(frame, model)
