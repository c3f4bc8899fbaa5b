"""What a caller's own function raises ends the call as it is: it is no picture's, and no bug of this program."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pictures import save_noise

import shamisa_cli
from shamisa_cli.core.scoring.cache import FILE


class OwnError(Exception):
    """Of the caller."""


def raising(*_: object, **__: object) -> Any:
    raise OwnError("of the caller")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("callers") / "photos"
    save_noise(folder, [(64, 48)] * 12, blur=2)
    return folder


@pytest.fixture(scope="module")
def table(photos: Path) -> shamisa_cli.MosTable:
    return shamisa_cli.MosTable(tuple(sorted(photos.iterdir())), np.arange(12.0))


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> shamisa_cli.Model:
    return shamisa_cli.load_model(tiny_model, device="cpu")


def requests(photos: Path) -> io.BytesIO:
    return io.BytesIO(b"".join(b'{"path": "%s"}\n' % str(path).encode() for path in sorted(photos.iterdir())))


WITH_A_CACHE: dict[str, Callable[[Path, Any, Any, shamisa_cli.Cache], object]] = {
    "score": lambda photos, model, _table, cache: shamisa_cli.score(photos, model, cache=cache),
    "embed": lambda photos, model, _table, cache: shamisa_cli.embed(photos, model, cache=cache),
    "cull": lambda photos, model, _table, cache: shamisa_cli.cull(photos, model, below=50, cache=cache),
    "serve": lambda photos, model, _table, cache: shamisa_cli.serve(
        requests(photos), lambda _answer: None, model, cache=cache
    ),
    "evaluate": lambda _photos, model, table, cache: shamisa_cli.evaluate(table, model, cache=cache),
    "fit_probe": lambda _photos, model, table, cache: shamisa_cli.fit_probe(table, None, model, cache=cache),
}


@pytest.mark.parametrize("call", WITH_A_CACHE)
@pytest.mark.parametrize("own", [True, False], ids=["a function of the caller", "warnings are errors"])
def test_a_cache_that_is_damaged_while_it_is_open_is_told_of_and_is_no_pictures_error(
    call: str, own: bool, photos: Path, model: Any, table: Any, tmp_path: Path
) -> None:
    cache = shamisa_cli.Cache(tmp_path, warn=raising) if own else shamisa_cli.Cache(tmp_path)
    shamisa_cli.score(next(photos.iterdir()), model, cache=cache)
    with (tmp_path / FILE).open("r+b") as stream:
        stream.write(b"junkjunk" * 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(OwnError if own else UserWarning, match="caller" if own else "cannot be used"):
            WITH_A_CACHE[call](photos, model, table, cache)
        records = shamisa_cli.score(photos, model, cache=cache)  # which was told once, and goes on without
    assert [record.error for record in records] == [None] * 12
    cache.close()


CALLED: dict[str, Callable[[Path, Any, Any, Path], object]] = {
    "progress of evaluate": lambda _photos, model, table, _: shamisa_cli.evaluate(table, model, progress=raising),
    "progress of evaluate_by_protocol": lambda _photos, model, table, _: shamisa_cli.evaluate_by_protocol(
        model, table, "default", progress=raising
    ),
    "progress of fit_probe": lambda _photos, model, table, _: shamisa_cli.fit_probe(
        table, None, model, progress=raising
    ),
    "advance of score_to_file": lambda photos, model, _table, folder: shamisa_cli.score_to_file(
        model, sorted(photos.iterdir()), folder / "t.parquet", advance=raising
    ),
    "write of serve": lambda photos, model, _table, _: shamisa_cli.serve(requests(photos), raising, model),
}


@pytest.mark.parametrize("call", CALLED)
def test_what_a_callers_function_raises_is_raised(
    call: str, photos: Path, model: Any, table: Any, tmp_path: Path
) -> None:
    with pytest.raises(OwnError, match="of the caller"):
        CALLED[call](photos, model, table, tmp_path)
