"""Score maps of many pictures as PNG files in a folder, none in the way of another."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.scoring.heatmap import render
from shamisa_cli.core.scoring.maps import ScoreMap, split_score
from shamisa_cli.core.scoring.pipeline import require_probe
from shamisa_cli.core.scoring.records import ImageRecord

MAX_NAME_BYTES = 200
"""Of a file's name; file systems take 255, and a temporary name is longer."""

MapWatch = Callable[[ImageRecord, npt.NDArray[np.uint8], ScoreMap], None]
"""Told each scored picture, its pixels as they were judged, (H, W, 3), and its map."""


def map_names(pictures: Sequence[Path]) -> dict[str, Path]:
    """A relative PNG path for each picture: its own path below the folder they all have in common, and .png."""
    absolute = {str(path): Path(os.path.abspath(path)) for path in pictures}  # noqa: PTH100 — links stay as named
    if not absolute:
        return {}
    common = os.path.commonpath([path.parent for path in absolute.values()])
    return {name: _short(path.relative_to(common)) for name, path in absolute.items()}


class MapWriter:
    """Writes the map of each picture it is told of: a `Watch` for `score_files`.

    Args:
        model: has a regressor.
        folder: gets the files, and the folders the pictures are in; earlier files of these names are replaced.
        pictures: all that may come.
        watch: told of each map as well, since a map takes as long as a score.
    """

    def __init__(self, model: Model, folder: Path, pictures: Sequence[Path], *, watch: MapWatch | None = None) -> None:
        self._model = model
        self._folder = folder
        self._names = map_names(pictures)
        self._watch = watch

    def __call__(self, record: ImageRecord, pixels: npt.NDArray[np.uint8]) -> None:
        """Write the map of one scored picture; the file appears when it is complete."""
        assert record.score is not None
        score_map = split_score(self._model.network, require_probe(self._model), pixels)
        picture = render(pixels, score_map, title=Path(record.path).name, score=record.score)
        with replacing(self._folder / self._names[record.path]) as temporary:
            picture.save(temporary, format="PNG")
        if self._watch is not None:
            self._watch(record, pixels, score_map)


def _short(path: Path) -> Path:
    name = f"{path.name}.png"
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return path.with_name(name)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    start = os.fsencode(path.name)[: MAX_NAME_BYTES - 40].decode(errors="ignore")
    return path.with_name(f"{start}-{digest}.png")
