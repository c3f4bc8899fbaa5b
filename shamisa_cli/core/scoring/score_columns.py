"""Records of images as a list, and as a table for pandas (an optional dependency)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shamisa_cli.core.full_size.record import MEASURES, AtFullSize
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ErrorRecord, ImageRecord
from shamisa_cli.core.reliability import reliability_reasons

if TYPE_CHECKING:
    from pandas import DataFrame

DEFECT = "defect_"
REMARK_SEPARATOR = "; "

Kind = Literal["text", "number", "whole", "severity"]

PANDAS_TYPES: dict[Kind, str] = {"text": "object", "number": "float64", "whole": "Int64", "severity": "float64"}
"""Whole numbers that may be missing are pandas' own."""


@dataclass(frozen=True)
class Column:
    """A column of every table of scores."""

    name: str
    kind: Kind


SCORE_COLUMNS = (
    Column("path", "text"),
    Column("score", "number"),
    Column("interval_low", "number"),
    Column("interval_high", "number"),
    Column("mos", "number"),
    Column("width", "whole"),
    Column("height", "whole"),
    Column("reliability", "text"),
    Column("status", "text"),
    Column("error_kind", "text"),
    Column("error", "text"),
    *(Column(f"{measure}_at_100", "severity") for measure in MEASURES),
    Column("remarks", "text"),
)
DEFECT_COLUMNS = tuple(Column(f"{DEFECT}{group}", "severity") for group in GROUPS)

COLUMNS = (*SCORE_COLUMNS, *DEFECT_COLUMNS)
"""The first columns of a table of scores, in order; a data frame has those of defects only if there are any."""


GROUP_COLUMNS = (Column("group", "whole"), Column("group_size", "whole"), Column("best_of_group", "whole"))
"""Further columns where groups were requested; `best_of_group` is 1 or 0."""
WARNINGS = Column("warnings", "text")
"""What is odd about the file; the last column of every table."""


def table_columns(*, grouped: bool = False) -> tuple[Column, ...]:
    """The columns of a table in the formats CSV and Parquet, in order."""
    return (*COLUMNS, *(GROUP_COLUMNS if grouped else ()), WARNINGS)


class ScoreRecords(list[ImageRecord]):
    """A list of records, one per image, with a conversion to pandas."""

    def to_pandas(self) -> DataFrame:
        """A data frame, one row per image: the columns of the CSV format, then defect_<group> if there are defects,
        then `GROUP_COLUMNS` if there are groups, then warnings.

        Missing values are NaN, <NA> or None. Raises ImportError if pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("to_pandas needs pandas. Install it with: pip install 'shamisa[pandas]'") from error
        frame = DataFrame([score_row(record) for record in self])
        defects = [column for column in frame.columns if column.startswith(DEFECT)]
        types = {column.name: PANDAS_TYPES[column.kind] for column in SCORE_COLUMNS}
        groups = {column.name: PANDAS_TYPES[column.kind] for column in GROUP_COLUMNS if column.name in frame}
        last = {WARNINGS.name: PANDAS_TYPES[WARNINGS.kind]}
        return frame.reindex(columns=[*types, *defects, *groups, *last]).astype(types | groups | last)


def score_row(record: ImageRecord) -> dict[str, Any]:
    """A record as one row of a table: a value for each column of `--format csv`, None if it is missing."""
    low, high = record.interval or (None, None)
    return {
        "path": record.path,
        "score": record.score,
        "interval_low": low,
        "interval_high": high,
        "mos": record.mos,
        "width": record.width,
        "height": record.height,
        "reliability": record.reliability,
        "status": record.status,
        "error_kind": record.error.kind if record.error else None,
        "error": record.error.message if record.error else None,
        **{f"{DEFECT}{group}": severity for group, severity in (record.defects or {}).items()},
        **{f"{measure}_at_100": getattr(record.at_full_size, measure, None) for measure in MEASURES},
        "remarks": None if record.score is None else REMARK_SEPARATOR.join(record.remarks),
        **_group_values(record),
        WARNINGS.name: None if record.score is None else REMARK_SEPARATOR.join(record.warnings),
    }


def _group_values(record: ImageRecord) -> dict[str, int]:
    place = record.group
    if place is None:
        return {}
    return dict(
        zip((column.name for column in GROUP_COLUMNS), (place.number, place.size, int(place.best)), strict=True)
    )


def _familiar(row: Mapping[str, Any]) -> bool:
    """A low reliability that the picture's size does not explain comes from its kind."""
    return row["reliability"] != "low" or bool(reliability_reasons(row["width"], row["height"]))


def score_record(row: Mapping[str, Any]) -> ImageRecord:
    """The record that `score_row` made a row of, but for its findings and the tile at 100 %.

    All its warnings are one phrase, since a phrase may hold what separates them.
    """
    error = None if row["error_kind"] is None else ErrorRecord(row["error_kind"], row["error"])
    defects: dict[str, float] = {group: row[f"{DEFECT}{group}"] for group in GROUPS}
    return ImageRecord(
        path=row["path"],
        score=row["score"],
        mos=row["mos"],
        interval=None if row["interval_low"] is None else (row["interval_low"], row["interval_high"]),
        width=row["width"],
        height=row["height"],
        defects=None if defects[GROUPS[0]] is None else defects,
        status=row["status"],
        error=error,
        familiar=_familiar(row),
        at_full_size=_look(row),
        remarks=tuple(row["remarks"].split(REMARK_SEPARATOR)) if row["remarks"] else (),
        warnings=tuple(filter(None, [row.get(WARNINGS.name)])),  # tables of early versions lack them
    )


def _look(row: Mapping[str, Any]) -> AtFullSize | None:
    focus, noise, compression = (row[f"{measure}_at_100"] for measure in MEASURES)
    return None if noise is None else AtFullSize(focus, noise, compression, None)
