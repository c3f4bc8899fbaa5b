"""Comparing and ranking in one call from Python: `shamisa_cli.compare` and `shamisa_cli.rank`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.images.discovery import discover
from shamisa_cli.core.models.loading import RelationalComparer, load_relational_model
from shamisa_cli.core.models.resolver import DEFAULT_RELATIONAL
from shamisa_cli.core.relational.comparison import ImageSource, compare_with, read_image
from shamisa_cli.core.relational.ranking import rank_pictures
from shamisa_cli.core.relational.records import ComparedModel, Comparison, Ranking

ImageInput = str | Path | npt.NDArray[np.uint8]


def compare(
    ref: ImageInput,
    candidates: ImageInput | Iterable[ImageInput],
    model: str | RelationalComparer | None = None,
    *,
    resize: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Comparison:
    """What changed between a picture and versions of it, where, and which is better: one record each, with maps.

    Args:
        ref: a file, or sRGB pixels (H, W, 3) uint8.
        candidates: one or many files, folders, globs or arrays.
        model: a loaded model, a name, a folder, or "hf:org/name@revision"; None takes the default one.
        resize: resample candidates of another size to the reference's; otherwise their record has an error.
        max_pixels: larger files are refused.

    Raises:
        ImageError: the reference cannot be read.
        InputNotFoundError: a path matches nothing.
        ModelError: the model is missing, damaged, or scores single pictures.
        SettingError: an array is of another kind.
    A candidate that cannot be read raises nothing: its record has the status "error" and says why.
    """
    loaded = _loaded(model)
    sources = list(_sources(candidates, "candidates"))
    reference = read_image(ref if isinstance(ref, np.ndarray) else Path(ref), _name(ref), max_pixels=max_pixels)
    records = compare_with(loaded.network, reference, sources, resize=resize, max_pixels=max_pixels)
    return Comparison(reference.name, tuple(records), _said(loaded))


def rank(
    pictures: Iterable[ImageInput] | ImageInput,
    model: str | RelationalComparer | None = None,
    *,
    resize: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Ranking:
    """Versions of one picture in one order, the best first; every pair is compared once.

    Args:
        pictures: files, folders, globs or arrays.
        model, max_pixels: as for `compare`.
        resize: resample pictures of another size to the first one's; otherwise they are not ranked.

    Raises:
        InputNotFoundError: a path matches nothing, or there are not two pictures.
        ModelError, SettingError: as for `compare`.
    """
    loaded = _loaded(model)
    sources = list(_sources(pictures, "pictures"))
    if len(sources) < 2:
        raise InputNotFoundError("Ranking takes two pictures or more.")
    return rank_pictures(loaded.network, _said(loaded), sources, resize=resize, max_pixels=max_pixels)


def _sources(given: ImageInput | Iterable[ImageInput], what: str) -> Iterator[tuple[str, ImageSource]]:
    """Name and source of each picture; a path may stand for many."""
    if isinstance(given, str | Path):
        given = [given]
    for index, one in enumerate(given if not isinstance(given, np.ndarray) or given.ndim > 3 else [given]):
        if isinstance(one, np.ndarray):
            yield f"{what}[{index}]", one
        else:
            yield from ((str(path), path) for path in discover([one]))


def _name(ref: ImageInput) -> str:
    return "ref" if isinstance(ref, np.ndarray) else str(ref)


def _loaded(model: str | RelationalComparer | None) -> RelationalComparer:
    return model if isinstance(model, RelationalComparer) else load_relational_model(model or DEFAULT_RELATIONAL)


def _said(model: RelationalComparer) -> ComparedModel:
    return ComparedModel(model.name, model.revision)
