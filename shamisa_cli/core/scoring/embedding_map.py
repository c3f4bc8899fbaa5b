"""Embedding maps: positions of images on a plane by their features, coloured by a value."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shamisa_cli.core.arrays import Features
from shamisa_cli.core.errors import SettingError, item_error
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.machine import available_cpus
from shamisa_cli.core.probe.mos_table import read_column
from shamisa_cli.core.scoring.feature_formats import portable
from shamisa_cli.core.scoring.pipeline import map_in_order
from shamisa_cli.core.scoring.projection import Places, Projection, centred_within, project
from shamisa_cli.core.scoring.scorer import require_probe
from shamisa_cli.core.scoring.thumbnails import encode_thumbnail

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model

SCORE, FOLDER = "score", "folder"
THUMBNAIL_SIDE = 160
"""Long side of thumbnails in pixels; a page holds thousands."""


@dataclass(frozen=True)
class Colouring:
    """Values of n images.

    Attributes:
        column: name of the column.
        values: all numbers or all texts; None where an image has none.
        cells: the texts of a table that the values were read from; None for others.
    """

    column: str
    values: tuple[float | None, ...] | tuple[str | None, ...]
    cells: tuple[str | None, ...] | None = None

    @property
    def names(self) -> list[str | None]:
        """Text of each value; of a table its own, since two of its numbers may round to one."""
        return [None if value is None else str(value) for value in self.cells or self.values]

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers; False for texts, and without any value."""
        return any(isinstance(value, float) for value in self.values)


@dataclass(frozen=True)
class EmbeddingMap:
    """Map of n images: their positions on a plane, and values to colour them by.

    Attributes:
        paths: as the user named them.
        places: (n, 2) positions, see `project`.
        colourings: at least one.
        projection: the method that placed the images.
        centred_by: the column within whose values features were centred, or None.
    """

    paths: tuple[str, ...]
    places: Places
    colourings: tuple[Colouring, ...]
    projection: Projection
    centred_by: str | None = None


@dataclass(frozen=True)
class LabelTable:
    """A CSV file of further columns: one row per image, named relative to the file's folder."""

    path: Path
    image_column: str = "image"

    def column(self, name: str, pictures: Sequence[Path]) -> tuple[str | None, ...]:
        """Cells (n,) of n images; None where an image has no row or an empty cell.

        Raises:
            MosTableError: the table cannot be read, or has no such column.
            SettingError: none of the images has a row.
        """
        rows = read_column(self.path, name, image_column=self.image_column)
        cells = {os.path.realpath(path): cell for path, cell in rows.items()}
        found = [cells.get(os.path.realpath(picture)) for picture in pictures]
        if pictures and all(cell is None for cell in found):
            raise SettingError(
                f"{self.path} has no row for any of the pictures; the first is {pictures[0]}. Names in it "
                "are relative to its folder."
            )
        return tuple(cell or None for cell in found)


def embedding_map(
    pictures: Sequence[Path],
    features: Features,
    colourings: Sequence[Colouring],
    *,
    projection: Projection = "tsne",
    centre_by: Colouring | None = None,
    seed: int = 0,
) -> EmbeddingMap:
    """Project the features (n, D) of n pictures.

    Args:
        pictures: the files.
        features: of them, in the same order.
        colourings: values of them.
        projection: see `project`.
        centre_by: subtract from features their mean over the images with the same value; see `centred_within`.
        seed: of the projection.

    Raises SettingError as `project` does.
    """
    if centre_by is not None:
        features = centred_within(features, centre_by.names)
    return EmbeddingMap(
        tuple(portable(str(path)) for path in pictures),
        project(features, projection, seed=seed),
        tuple(colourings),
        projection,
        None if centre_by is None else centre_by.column,
    )


def colouring(
    column: str, pictures: Sequence[Path], features: Features, model: Model, table: LabelTable | None = None
) -> Colouring:
    """Values of images in a column.

    Args:
        column: "score" (0…100), a group of distortions (severity 0…4), "folder" (of the file), or with a table
            any other of its columns: as numbers if all its cells are, otherwise as text.
        pictures: n files.
        features: (n, D) of them by the model.
        model: with a probe for "score", with a defect probe for the groups.
        table: see `LabelTable`.

    Raises:
        ModelError: the model has no probe.
        SettingError: the column is unknown, or the model has no defect probe.
        MosTableError: the table has no such column.
    """
    if column == FOLDER:
        return Colouring(column, _folders(pictures))
    if column == SCORE:
        probe = require_probe(model)
        return Colouring(column, tuple(float(score) for score in probe.score(probe.predict(features))))
    if column in GROUPS:
        if model.defects is None:
            raise SettingError(f"The model {model.name} has no defect probe; fit one with: shamisa fit-defects.")
        return Colouring(column, tuple(model.defects.severities(features)[:, GROUPS.index(column)].tolist()))
    check_column(column, table)
    assert table is not None
    cells = table.column(column, pictures)
    return Colouring(column, _as_numbers(cells), cells)


def check_column(column: str, table: LabelTable | None) -> None:
    """Raise SettingError or MosTableError if the column is impossible for any images and any model."""
    known = (SCORE, FOLDER, *GROUPS)
    if column in known:
        return
    if table is None:
        raise SettingError(f"There is no column {column!r}; known are {', '.join(known)}, and those of a table.")
    read_column(table.path, column, image_column=table.image_column)


def thumbnails(
    pictures: Sequence[Path], *, jobs: int | None = None, advance: Callable[[int], None] = lambda _pictures: None
) -> dict[str, bytes]:
    """WebP thumbnails by the image's name in the map; images that cannot be read any more are left out."""
    threads = jobs or available_cpus()
    found: dict[str, bytes] = {}
    with closing(map_in_order(_thumbnail, pictures, threads, 4 * threads)) as made:
        for path, outcome in made:
            content = outcome.result()
            if content is not None:
                found[portable(str(path))] = content
            advance(1)
    return found


def _thumbnail(path: Path) -> bytes | None:
    try:
        return encode_thumbnail(decode(path, view_size=THUMBNAIL_SIDE).pixels, THUMBNAIL_SIDE)
    except Exception as error:
        item_error(path, error)  # raises what is about the whole run
        return None


def _folders(pictures: Sequence[Path]) -> tuple[str, ...]:
    """Folder of each image, relative to their common folder; the folder's name if they share one."""
    parents = [str(path.parent.absolute()) for path in pictures]
    if len(set(parents)) < 2:
        return tuple(Path(parent).name or parent for parent in parents)
    try:
        root = os.path.commonpath(parents)
    except ValueError:  # on different drives
        return tuple(parents)
    return tuple(portable(os.path.relpath(parent, root)) for parent in parents)


def _as_numbers(cells: tuple[str | None, ...]) -> tuple[float | None, ...] | tuple[str | None, ...]:
    """The cells as numbers, if all are numbers that keep each of their digits, as long identifiers would not."""
    try:
        numbers = tuple(None if cell is None else float(cell) for cell in cells)
    except ValueError:
        return cells
    return numbers if all(number is None or abs(number) < 2**53 for number in numbers) else cells


def value_counts(values: Sequence[str | None]) -> Mapping[str, int]:
    """Number of images with each text, the most frequent first, equals by name."""
    names, counts = np.unique([value for value in values if value is not None], return_counts=True)
    order = np.lexsort((names, -counts))
    return {str(names[row]): int(counts[row]) for row in order}
