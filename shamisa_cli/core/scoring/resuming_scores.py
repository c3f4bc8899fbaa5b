"""Scoring a long list into one Parquet table, so that a killed run goes on where it stopped; see `resuming`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.scoring.embeddings import FileStamp, portable
from shamisa_cli.core.scoring.pipeline import ViewSize, score_files
from shamisa_cli.core.scoring.records import ImageRecord
from shamisa_cli.core.scoring.resuming import ROWS_PER_PART, in_batches, parts_folder, remove_parts
from shamisa_cli.core.scoring.score_table import (
    finished_rows,
    scorer_of,
    scores_schema,
    scores_table,
    stamps_in,
    write_scores,
)

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model


@dataclass(frozen=True)
class Tabled:
    """What a run did.

    Attributes:
        rows: pictures in the table.
        reused: of them, how many were there before.
    """

    rows: int
    reused: int


def score_to_file(
    model: Model,
    paths: Sequence[Path],
    target: Path,
    *,
    view_size: ViewSize = "model",
    jobs: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    advance: Callable[[int], None] = lambda _pictures: None,
    rows_per_part: int = ROWS_PER_PART,
) -> Tabled:
    """Score `paths` into a Parquet table, one row a picture in the order given, which appears when it is complete.

    Rows of an earlier run, finished or killed, stay if model, preprocessing and the file's path, size and time of
    change are the same. Pictures that could not be read are tried again. What several runs do to the same target
    at once is done twice, and is in the table once.

    Args:
        advance: called with the number of pictures that are done, as they are.
        rows_per_part: how much work a kill may cost at most.

    Raises:
        ModelError: the model has no regressor.
        SettingError: an impossible setting.
        OSError: the target or its parts cannot be written.
    """
    import pyarrow as pa

    scorer = scorer_of(model, view_size)
    schema = scores_schema(scorer)
    parts = parts_folder(target)
    kept = pa.concat_tables([finished_rows(file, scorer) for file in (target, *sorted(parts.glob("*.parquet")))])
    places = {stamp: place for place, stamp in enumerate(stamps_in(kept))}
    stamps = {path: _stamp(path) for path in paths}
    missing = [path for path in paths if stamps[path] not in places]
    reused = len(paths) - len(missing)
    advance(reused)

    found = [kept]
    scored = score_files(model, missing, jobs=jobs, view_size=view_size, max_pixels=max_pixels)
    with closing(scored):
        for batch in in_batches(_counted(zip(missing, scored, strict=True), advance), rows_per_part):
            table = scores_table([(stamps[path], record) for path, record in batch], schema)
            write_scores(parts / f"{uuid.uuid4().hex}.parquet", table)
            begun = sum(len(each) for each in found)
            places |= {stamps[path]: begun + place for place, (path, _) in enumerate(batch)}
            found.append(table)
    whole = pa.concat_tables(found)
    write_scores(target, whole.take(pa.array([places[stamps[path]] for path in paths], pa.int64())))
    remove_parts(parts)
    return Tabled(len(paths), reused)


def _stamp(path: Path) -> FileStamp:
    try:
        return FileStamp.of(path)
    except OSError:
        return FileStamp(portable(str(path)), 0, 0)  # decoding it will say what is wrong


def _counted(
    items: Iterable[tuple[Path, ImageRecord]], advance: Callable[[int], None]
) -> Iterator[tuple[Path, ImageRecord]]:
    for item in items:
        advance(1)
        yield item
