"""Scores as a Parquet table: one row per image, with the columns of the CSV format and the state of the file."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import PARSE_ERRORS, ModelError
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.baseline import ScoreSource
from shamisa_cli.core.scoring.feature_formats import METADATA_KEY, FileStamp
from shamisa_cli.core.scoring.pipeline import describe_run
from shamisa_cli.core.scoring.provenance import computed_by, record_digest
from shamisa_cli.core.scoring.score_columns import score_record, score_row, table_columns
from shamisa_cli.core.scoring.scorer import ViewSize, require_probe
from shamisa_cli.core.scoring.unpacking import require_room_for_parquet

if TYPE_CHECKING:
    import pyarrow as pa

    from shamisa_cli.core.models.loading import Model

ERROR = "error"


def scores_schema(scorer: ScoreSource) -> pa.Schema:
    """Columns, and metadata with the model that produced the scores."""
    import pyarrow as pa

    types = {"text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "severity": pa.float32()}
    columns = {column.name: types[column.kind] for column in table_columns()}
    columns |= dict.fromkeys(("size", "mtime"), pa.int64())
    return pa.schema(columns, metadata={METADATA_KEY: json.dumps(_without_none(asdict(scorer)))})


def _without_none(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


def scores_table(rows: Sequence[tuple[FileStamp, ImageRecord]], schema: pa.Schema) -> pa.Table:
    """Records of n images as an Arrow table with a `scores_schema`."""
    import pyarrow as pa

    return pa.Table.from_pylist([_row(stamp, record) for stamp, record in rows], schema=schema)


def score_source(model: Model, view_size: ViewSize) -> ScoreSource:
    """The source that a table of this model's scores records. Raises ModelError if the model has no probe."""
    run = describe_run(model, view_size)
    source = ScoreSource.of_model(run.model, model.encoder_digest, require_probe(model))
    return replace(source, details=record_digest(model), computed_by=computed_by(model.encoder))


def is_from(scorer: ScoreSource, metadata: Mapping[bytes, bytes] | None) -> bool:
    """Whether the rows of a table with this metadata were made as those of `scorer` are."""
    try:
        return ScoreSource(**json.loads((metadata or {})[METADATA_KEY.encode()])).made_alike(scorer)
    except (KeyError, *PARSE_ERRORS, TypeError):
        return False


def finished_rows(path: Path, scorer: ScoreSource) -> pa.Table:
    """Rows of an earlier table, without those of images that could not be read.

    None if there is no such file, it is damaged or unpacks to gigabytes, or another model produced it.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    schema = scores_schema(scorer)
    try:
        with arrow_errors():
            found = pq.read_schema(path)
            if not is_from(scorer, found.metadata) or not found.equals(schema):
                return schema.empty_table()
            require_room_for_parquet(path)
            table = pq.read_table(path, partitioning=None)
    except (FileNotFoundError, ValueError):  # also pyarrow's own
        return schema.empty_table()
    return table.filter(pc.field("status") != ERROR).replace_schema_metadata(schema.metadata)


def pictures_in(path: Path) -> set[str]:
    """Paths of the images of an earlier table of any model; none if there is no such file, or it is no such table."""
    import pyarrow.parquet as pq

    try:
        with arrow_errors():
            require_room_for_parquet(path)
            return set(pq.read_table(path, columns=["path"], partitioning=None)["path"].to_pylist())
    except (FileNotFoundError, ValueError, KeyError):  # also pyarrow's own
        return set()


@contextmanager
def arrow_errors() -> Iterator[None]:
    """Raise ArrowInvalid for a damaged table; for damaged pages pyarrow raises an OSError without a number."""
    import pyarrow as pa

    try:
        yield
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise pa.ArrowInvalid(str(error)) from error


def stamps_in(table: pa.Table) -> list[FileStamp]:
    """Stamps of the rows' files."""
    columns = (table[name].to_pylist() for name in ("path", "size", "mtime"))
    return [FileStamp(path, size, mtime) for path, size, mtime in zip(*columns, strict=True)]


def write_scores(target: Path, table: pa.Table) -> None:
    """Write a table to its file atomically."""
    import pyarrow.parquet as pq

    with replacing(target) as temporary:
        pq.write_table(table, temporary)


def read_scores(path: Path) -> Generator[ImageRecord, None, None]:
    """Yield the records of a table. Raises ModelError if the file is not such a table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with arrow_errors(), pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from map(score_record, batch.to_pylist())
    except (pa.ArrowInvalid, KeyError) as error:
        raise ModelError(f"{path} is damaged or is not a table of scores ({error}). Make it again.") from error


def _row(stamp: FileStamp, record: ImageRecord) -> dict[str, Any]:
    return {**score_row(record), "path": stamp.path, "size": stamp.size, "mtime": stamp.mtime}
