"""Features of all images of a table of human scores, per crop, or their differences from their references'."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.encoder.embedder import CropEmbedder
from shamisa_cli.core.errors import ImageError, InputNotFoundError, SettingError
from shamisa_cli.core.probe.mos_table import MIN_ROWS, MosTable, too_few_images
from shamisa_cli.core.probe.protocol import difference_features
from shamisa_cli.core.reliability import describe_odd, describe_warnings
from shamisa_cli.core.scoring.pipeline import embed_files
from shamisa_cli.core.scoring.result_cache import feature_cache_for
from shamisa_cli.core.scoring.scorer import preprocessing_used

if TYPE_CHECKING:
    from shamisa_cli.core.arrays import AnyFeatures
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.cache import Cache
    from shamisa_cli.core.scoring.scorer import Embedding


@dataclass(frozen=True)
class TableFeatures:
    """Features of the images of a table.

    Attributes:
        table: the rows whose images could be read.
        rows: (n, R, D) float32, features of the R crops of each; of a table that names references, the absolute
            differences from the features of the reference's crops.
        errors: one for each image that could not be read.
        warnings: a sentence on images that are odd, such as damaged ones; none for most.
    """

    table: MosTable
    rows: AnyFeatures
    errors: tuple[ImageError, ...]
    warnings: tuple[str, ...] = ()


def read_table(
    model: Model,
    table: MosTable,
    *,
    crops: bool = False,
    jobs: int | None = None,
    cache: Cache | None = None,
    advance: Callable[[int], None] = lambda _pictures: None,
) -> TableFeatures:
    """Embed the pictures of a table, and the references it names, each of them once.

    Args:
        model: the model that embeds the images.
        table: the table; an image must have the size of its reference, so that their crops correspond.
        crops: whether features are kept per crop; otherwise R is 1, the features of the image.
        jobs: threads; None takes one per available processor.
        cache: cache of features, which new ones are added to.
        advance: called with 1 after each image, `pictures_read` in all.

    Raises:
        InputNotFoundError: fewer than `MIN_ROWS` rows are left. Files never raise: see `TableFeatures.errors`.
    """
    paths = list(table.paths)
    place_of: dict[str, int] = {}
    for reference in table.references or ():
        name = os.path.normpath(reference)
        if name not in place_of:
            place_of[name] = len(paths)
            paths.append(reference)
    features, found = _embedded(model, paths, crops, jobs, cache, advance)
    errors = [embedding.error for embedding in found if embedding.error is not None]
    readable = [row for row in range(len(table)) if found[row].error is None]
    if table.references is None:
        return _features(table, readable, features, errors, found)

    places = [place_of[os.path.normpath(reference)] for reference in table.references]
    compared, row_of = [], _rows(found)
    for row in readable:
        picture, original = found[row], found[places[row]]
        if original.error is None:
            if (picture.width, picture.height) == (original.width, original.height):
                compared.append(row)
            else:
                errors.append(_another_size(picture, original))
    originals = features[[row_of[places[row]] for row in compared]]
    differences = difference_features(originals, features[[row_of[row] for row in compared]])
    return _features(table, compared, differences, errors, found)


def pictures_read(table: MosTable) -> int:
    """Number of images that `read_table` embeds: those of the table and its references."""
    return len(table) + len({os.path.normpath(reference) for reference in table.references or ()})


def _embedded(
    model: Model,
    paths: Sequence[Path],
    crops: bool,
    jobs: int | None,
    cache: Cache | None,
    advance: Callable[[int], None],
) -> tuple[npt.NDArray[np.float32], list[Embedding]]:
    """Features (n, R, D) of the n files that could be read, in their order, and what was found of every file."""
    encoder = CropEmbedder(model.encoder) if crops else model.encoder
    apart = {"crops": "apart"} if crops else {}
    result_cache = feature_cache_for(cache, model, preprocessing_used(encoder, "model") | apart)
    length = model.encoder.feature_length
    features = _room(sum(map(os.path.exists, paths)), encoder.feature_length // length, length)
    found, filled = [], 0
    with closing(embed_files(encoder, paths, jobs=jobs, result_cache=result_cache)) as embeddings:
        for embedding in embeddings:
            if embedding.features is not None:
                if filled == len(features):  # a file has come meanwhile
                    features = np.concatenate([features, _room(len(paths) - filled, *features.shape[1:])])
                features[filled] = embedding.features.reshape(features.shape[1:])
                filled += 1
            found.append(embedding)
            advance(1)
    return features[:filled], found


def _room(pictures: int, crops: int, length: int) -> npt.NDArray[np.float32]:
    """An array for features, which is had before hours of work are spent. Raises SettingError if there is no room."""
    try:
        return np.empty((pictures, crops, length), dtype=np.float32)
    except MemoryError as error:
        raise SettingError(
            f"The features of {pictures:,} pictures, {crops * length:,} numbers of each, take "
            f"{4e-6 * pictures * crops * length:,.0f} MB, and there is not enough memory for them. Take fewer rows of "
            "the table."
        ) from error


def _rows(found: Sequence[Embedding]) -> dict[int, int]:
    """Place of each file that could be read → its row of features."""
    readable = [place for place, embedding in enumerate(found) if embedding.error is None]
    return {place: row for row, place in enumerate(readable)}


def _features(
    table: MosTable,
    kept: Sequence[int],
    rows: AnyFeatures,
    errors: Sequence[ImageError],
    found: Sequence[Embedding],
) -> TableFeatures:
    if len(kept) < MIN_ROWS:
        reason = f" {errors[0]}" if errors else ""
        raise InputNotFoundError(too_few_images(len(kept), len(table)) + reason)
    odd = describe_odd([describe_warnings(str(each.path), each.warnings) for each in found if each.warnings])
    return TableFeatures(table if not errors else table.take(kept), rows, tuple(errors), odd)


def _another_size(picture: Embedding, reference: Embedding) -> ImageError:
    return ImageError(
        picture.path,
        "unsupported",
        f"{picture.path} is {picture.width}×{picture.height} pixels and its reference {reference.path} "
        f"{reference.width}×{reference.height}; the two must have the same size.",
    )
