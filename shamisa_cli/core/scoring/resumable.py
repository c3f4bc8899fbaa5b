"""Embedding and scoring of long lists into one file; a killed run can be resumed.

Every 32 images a part, itself a small table, is written into `.<target>.parts`. At the end the parts are
merged into the target and removed. A later run reuses rows of the target and of parts if the model, the
preprocessing, and the file's path, size and time of change are the same.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.arrays import Features
from shamisa_cli.core.atomic import complete_files
from shamisa_cli.core.errors import ImageError, ModelError, SettingError
from shamisa_cli.core.existence import exists, is_dir
from shamisa_cli.core.extras import require_pyarrow
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.images.formats import require_no_picture
from shamisa_cli.core.records import ImageRecord, JobResult
from shamisa_cli.core.reliability import describe_warnings
from shamisa_cli.core.scoring.feature_formats import FeatureSource, FileStamp, portable
from shamisa_cli.core.scoring.feature_table import FeatureTable, check_format, load_features, save_features
from shamisa_cli.core.scoring.pipeline import embed_files, score_files
from shamisa_cli.core.scoring.provenance import computed_by
from shamisa_cli.core.scoring.score_table import (
    finished_rows,
    pictures_in,
    score_source,
    scores_schema,
    scores_table,
    stamps_in,
    write_scores,
)
from shamisa_cli.core.scoring.scorer import Embedding, ViewSize, preprocessing_used
from shamisa_cli.core.sole_writer import writes

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.result_cache import FeatureCache

ROWS_PER_PART = 32
"""The most pictures whose results are lost when a run is killed."""

T = TypeVar("T")


def feature_source(model: Model, view_size: ViewSize = "model") -> FeatureSource:
    """The source that a table of this model's features records."""
    return FeatureSource(
        model.encoder_fingerprint,
        model.name,
        preprocessing_used(model.encoder, view_size),
        model.encoder_digest,
        computed_by(model.encoder),
    )


def parts_folder(target: Path) -> Path:
    """Folder of the parts of an unfinished table; hidden, so that readers of all tables of a folder skip it."""
    return target.with_name(f".{target.name}.parts")


def remove_parts(parts: Path) -> None:
    """Remove the `parts_folder` once the table is complete."""
    shutil.rmtree(parts, ignore_errors=True)


@dataclass(frozen=True)
class _Place:
    table: Path
    row: int


@writes("target")
def embed_to_file(
    encoder: Embedder,
    paths: Sequence[Path],
    target: Path,
    origin: FeatureSource,
    *,
    jobs: PositiveInt | None = None,
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    result_cache: FeatureCache | None = None,
    advance: Callable[[int], None] = lambda _pictures: None,
    rows_per_part: PositiveInt = ROWS_PER_PART,
) -> JobResult:
    """Embed `paths` into `target`, one row per readable image, in the order given.

    Without any path, a table that is there stays as it is.

    Args:
        origin: stored in the file; its preprocessing determines the view size.
        result_cache: cache of features, which new ones are added to; see `feature_cache`.
        advance: called with the number of images that were just completed.
        rows_per_part: rows in a part, the most that is lost when the run is killed.

    Raises:
        SettingError: unknown suffix of `target`, an invalid setting, or another process writes the target.
        OSError: the target or its parts cannot be written.
    """
    check_format(target)
    require_no_picture(target, "a table")
    if not paths and exists(target):
        return JobResult(0, 0)
    parts = parts_folder(target)
    stamps = {path: _stamp_or_name(path) for path in paths}
    known, before = _known_rows(target, complete_files(parts, ".safetensors"), origin)
    dropped = len(before - _names_of(stamps))
    missing = [path for path in paths if _is_new(stamps[path], known)]
    reused = len(paths) - len(missing)
    advance(reused)

    errors: list[ImageError] = []
    warnings: list[str] = []
    embeddings = embed_files(
        encoder,
        missing,
        jobs=jobs,
        view_size=origin.preprocessing["view_size"],
        max_pixels=max_pixels,
        result_cache=result_cache,
    )
    with closing(embeddings):
        for batch in batched(_readable(embeddings, errors, warnings, advance), rows_per_part):
            part = parts / f"{uuid.uuid4().hex}.safetensors"
            rows = [stamps[Path(embedding.path)] for embedding, _ in batch]
            features = np.stack([features for _, features in batch])
            save_features(part, rows, encoder.feature_length, [features], origin)
            known.update({stamp: _Place(part, row) for row, stamp in enumerate(rows)})

    wanted = [stamps[path] for path in paths if stamps[path] in known]
    save_features(target, wanted, encoder.feature_length, _gather(wanted, known), origin)
    remove_parts(parts)
    return JobResult(
        len(wanted), reused, len(errors), tuple(map(str, errors)), dropped=dropped, warnings=tuple(warnings)
    )


def _names_of(stamps: Mapping[Path, FileStamp]) -> set[str]:
    return {stamp.path for stamp in stamps.values()}


def _known_rows(target: Path, parts: Sequence[Path], origin: FeatureSource) -> tuple[dict[FileStamp, _Place], set[str]]:
    """The rows of an earlier run that can be reused, and the paths of all images in its `target`."""
    known: dict[FileStamp, _Place] = {}
    before: set[str] = set()
    for path in (target, *parts):
        table = _existing(path)
        if table is not None and path == target:
            before = {stamp.path for stamp in table.stamps}
        if table is not None and table.origin.made_alike(origin):
            known.update({stamp: _Place(path, row) for row, stamp in enumerate(table.stamps)})
    return known, before


def _existing(path: Path) -> FeatureTable | None:
    try:
        return load_features(path) if exists(path) else None
    except ModelError:
        return None  # nothing can be reused, and the run replaces it


def _readable(
    embeddings: Generator[Embedding, None, None],
    errors: list[ImageError],
    warnings: list[str],
    advance: Callable[[int], None],
) -> Iterator[tuple[Embedding, Features]]:
    for embedding in embeddings:
        if embedding.features is not None:
            warnings += filter(None, [describe_warnings(str(embedding.path), embedding.warnings)])
            yield embedding, embedding.features
        elif embedding.error is not None:
            errors.append(embedding.error)
        advance(1)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Divide items into lists of equal length; the last may be shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _gather(stamps: Sequence[FileStamp], places: Mapping[FileStamp, _Place]) -> Iterator[Features]:
    # Rows of an old target and of parts may alternate: keep the tables opened last.
    opened = lru_cache(maxsize=2)(load_features)
    for table, group in groupby((places[stamp] for stamp in stamps), key=lambda place: place.table):
        rows = [place.row for place in group]
        for start in range(0, len(rows), ROWS_PER_PART):
            yield opened(table).features[rows[start : start + ROWS_PER_PART]]


@writes("target")
def score_to_file(
    model: Model,
    paths: Sequence[Path],
    target: Path,
    *,
    view_size: ViewSize = "model",
    jobs: PositiveInt | None = None,
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    division: Mapping[str, Any] | None = None,
    advance: Callable[[int], None] = lambda _pictures: None,
    rows_per_part: PositiveInt = ROWS_PER_PART,
) -> JobResult:
    """Score `paths` into a Parquet table, one row per image in the order given; it appears once it is complete.

    Rows of an earlier run, finished or killed, are reused if model, preprocessing and the file's path, size and time
    of change are the same. Images that could not be read are tried again. Without any path, a table that is there stays
    as it is.

    Args:
        division: recorded in the table, if it is one part of several; see `core.cluster.division`.
        advance: called with the number of images that were just completed.
        rows_per_part: rows in a part, the most that is lost when the run is killed.

    Raises:
        ModelError: the model has no probe.
        SettingError: an invalid setting, another process writes the target, it is a picture, or not named .parquet.
        OSError: the target or its parts cannot be written.
    """
    require_no_picture(target, "a table")
    require_pyarrow()
    import pyarrow as pa

    if not target.name or is_dir(target):
        raise SettingError(f"{target} is a folder; a table needs the name of a file, such as scores.parquet.")
    if target.suffix.lower() != ".parquet":
        raise SettingError(f"{target} would hold a Parquet table. Name it so, such as {target.stem}.parquet.")
    if not paths and division is None and exists(target):
        return JobResult(0, 0)
    scorer = replace(score_source(model, view_size), division=division)
    schema = scores_schema(scorer)
    parts = parts_folder(target)
    before = pictures_in(target)
    kept = pa.concat_tables([finished_rows(file, scorer) for file in (target, *complete_files(parts, ".parquet"))])
    places = {stamp: place for place, stamp in enumerate(stamps_in(kept))}
    stamps = {path: _stamp_or_name(path) for path in paths}
    missing = [path for path in paths if _is_new(stamps[path], places)]
    reused = len(paths) - len(missing)
    advance(reused)

    found = [kept]
    errors: list[str] = []
    scored = score_files(model, missing, jobs=jobs, view_size=view_size, max_pixels=max_pixels)
    with closing(scored):
        for batch in batched(_counted(zip(missing, scored, strict=True), advance), rows_per_part):
            errors += [record.error.message for _, record in batch if record.error is not None]
            table = scores_table([(stamps[path], record) for path, record in batch], schema)
            write_scores(parts / f"{uuid.uuid4().hex}.parquet", table)
            begun = sum(len(each) for each in found)
            places |= {stamps[path]: begun + place for place, (path, _) in enumerate(batch)}
            found.append(table)
    whole = pa.concat_tables(found)
    write_scores(target, whole.take(pa.array([places[stamps[path]] for path in paths], pa.int64())))
    remove_parts(parts)
    dropped = len(before - _names_of(stamps))
    return JobResult(len(paths), reused, len(errors), tuple(errors), dropped=dropped)


def _is_new(stamp: FileStamp, known: Mapping[FileStamp, object]) -> bool:
    """Whether a file is computed: no row is its, or it was not there when the run began and may have changed since."""
    return stamp not in known or not (stamp.size or stamp.mtime)


def _stamp_or_name(path: Path) -> FileStamp:
    try:
        return FileStamp.of(path)
    except OSError:
        return FileStamp(portable(str(path)), 0, 0)  # decoding it will report the error


def _counted(
    items: Iterable[tuple[Path, ImageRecord]], advance: Callable[[int], None]
) -> Iterator[tuple[Path, ImageRecord]]:
    for item in items:
        advance(1)
        yield item
